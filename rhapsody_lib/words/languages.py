"""Languages in Latin letters: which one a song is in, and how its words part into syllables.

English has a dictionary (`pronunciation`); of the others each vowel sound is told by its letters. Mute e, hiatus and
foreign words are where such rules err.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

ENGLISH = "en"
#: A song is in a language other than English if so large a share of its words are that language's, at least so many,
#: and more than of any other. Where some are English, it takes the greater number, one of them a word of no other
#: language here.
LEAST_SHARE, LEAST_WORDS, LEAST_BESIDE_ENGLISH = 0.15, 3, 4
#: Frequent words. One that is also of another language here counts for both.
_WORDS = {
    "da": "jeg du det ikke og er på en et af til den som med har vil min din vi de kan hvor mig dig alt når hvad",
    "de": "ich du der die das und ist nicht ein eine zu mit auf für wir sie den dem im es so wie mein dein mir dir "
    "mich dich von war noch nur wenn wo was bist hast kein auch er",
    "en": "the and you that with your it is this of to in i me my we was what they but when i'm don't it's can't from "
    "know would she there where just all so on be for a as do no not are have if like love never down",
    "es": "el la los las que de y en un una mi tu no me te se por con para es lo pero como si yo más amor qué cuando "
    "donde del al su sin",
    "fi": "minä sinä on ei ja se hän me te he en olen oli niin kun mutta jos kuin mun sun mä sä vaan ole kaikki",
    "fr": "je tu il elle le la les un une des et de du que qui dans pas mon ma ton ta est c'est j'ai pour sur avec ne "
    "nous vous on au en ce se moi toi",
    "it": "il lo la i gli le un una che di e è non mi ti si per con sono sei del della nel mio tuo io tu ma come più "
    "amore questo anche se",
    "nl": "ik je jij de het een en van niet dat is in op te zijn voor met mijn ben maar wat als hij we wij zo naar",
    "pl": "ja ty nie to się i w na że z jest do mnie jak ale co po ciebie już tak tylko gdy dla cię mój moja",
    "pt": "o a os as que de e em um uma meu minha eu você não me te se por com para é mas como mais seu sua do da no "
    "na amor quando vou",
    "sv": "jag du det inte och är på en ett av till den som med har vill min din vi de kan mig dig när vad för så men",
}
_LANGUAGES_OF: dict[str, list[str]] = {}
for _code, _words in _WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF.setdefault(_word, []).append(_code)


def latin_language(words: Iterable[str]) -> str:
    """ISO 639-1 code of the language that the Latin words of a song are in; English where nothing speaks against it."""
    # Each word once: a refrain of `la` is not Spanish.
    plain = {_normal(word).strip("'.,;:!?¡¿-–—\"«»()…") for word in words} - {""}
    hits = Counter(code for word in plain for code in _LANGUAGES_OF.get(word, ()))
    if not hits:
        return ENGLISH
    # English first, then by the alphabet, where two have as many.
    best = max(sorted(hits), key=lambda code: (hits[code], code == ENGLISH))
    enough = hits[best] >= max(LEAST_WORDS, LEAST_SHARE * len(plain)) and hits[best] > hits[ENGLISH]
    own = any(_LANGUAGES_OF.get(word) == [best] for word in plain)
    alone = not hits[ENGLISH] or (own and hits[best] >= LEAST_BESIDE_ENGLISH)
    return best if enough and alone else ENGLISH


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower().replace("’", "'")


@dataclass(frozen=True)
class _Rules:
    """How a language spells its vowels and where it stresses a word.

    Args:
        vowels: letters of which any run is vowels.
        together: several of them that are one vowel sound; all others part.
        silent: letters that look like vowels and are none.
        stress: `first`, `last`, `penult`; or `spanish` and `portuguese`, by their rules of accents.
        unstressed: first parts of words that the stress passes over.
    """

    vowels: str
    together: re.Pattern[str]
    silent: re.Pattern[str]
    stress: str
    unstressed: re.Pattern[str] = re.compile(r"(?!)")


_GLIDE = r"[iuyü]"
_NEVER = re.compile(r"(?!)")
_U_AFTER_Q = r"(?<=q)u(?=[aeiouyáéíóúàèìòùâêôãõäöåæø])"
_SPANISH = re.compile(rf"[iuü]?[aeoáéó]{_GLIDE}?(?![áéíóú])|[iuü][aeoáéó]|[iu][uíúiy]|[iuü][iu]")
_NORDIC = re.compile(r"au|eu|ei|øy|äu")
_RULES: Mapping[str, _Rules] = MappingProxyType(
    {
        "da": _Rules("aeiouyæøåéü", _NORDIC, re.compile(_U_AFTER_Q), "first", re.compile("be|ge|for")),
        "de": _Rules(
            "aeiouyäöüé",
            re.compile(r"aa|ee|oo|ie(?!n$)|ei|ai|au|eu|äu|ay|ey"),
            re.compile(_U_AFTER_Q),
            "first",
            re.compile("be|ge|ver|zer|ent|emp|er(?=[bdfghklmnprstwz])"),
        ),
        "es": _Rules("aeiouyáéíóúü", _SPANISH, re.compile(r"(?<=[qg])u(?=[eiéí])|y(?=[aeiouáéíóú])"), "spanish"),
        "fi": _Rules("aeiouyäöå", re.compile(r"([aeiouyäö])\1|[aeouyäö]i|[aeio]u|[eiäö]y|ie|uo|yö"), _NEVER, "first"),
        "fr": _Rules(
            "aeiouyàâäéèêëîïôöùûüœæ",
            re.compile(r"eau|aou|oui|ou[aeéiï]?|oi|oî|œu|ai|aî|au|ei|eu|eû|ie(?=[nrzu])|ui|uî|ay|oy|ya|yeu|ieu|iè|ié"),
            re.compile(
                rf"{_U_AFTER_Q}|(?<=g)u(?=[eiéèê])|(?<=[^aeiouyéèê'])e(?=s?$)|(?<=[aeiouyéè])e(?=s?$)|(?<=g)e(?=[aoâ])"
                r"|(?<=[aeuo])i(?=lle?s?\b|ll)"
            ),
            "last",
        ),
        "it": _Rules(
            "aeiouàèéìíòóùú",
            re.compile(r"(?<=c)iao|(?:(?<=[cg])i|(?<=gl)i|(?<=sc)i|u)?[aeoàèéòó][iu]?|[iu][aeoàèéòó][iu]?|[iu][iu]"),
            re.compile(_U_AFTER_Q),
            "penult",
        ),
        "nl": _Rules(
            "aeiouyéëïöüè",
            re.compile(r"ieuw|eeuw|aai|ooi|oei|aa|ee|oo|uu|ie|ei|ij|ui|eu|oe|au|ou|ey"),
            re.compile(_U_AFTER_Q),
            "first",
            re.compile("be|ge|ver|ont|her"),
        ),
        "pl": _Rules("aeiouyąęó", re.compile(r"i[aeouąęó]|au|eu"), _NEVER, "penult"),
        "pt": _Rules(
            "aeiouáâãàéêíóôõú",
            re.compile(r"ã[oe]|õe|[uü]?[aeoáâéêóô][iu](?!$)|[aeoáâéêóô][iu]|[iu][aeo](?=s?$)|ui"),
            re.compile(r"(?<=[qg])u(?=[aeiéíê])"),
            "portuguese",
        ),
        "sv": _Rules("aeiouyåäöé", re.compile(r"au|eu"), re.compile(_U_AFTER_Q), "first", re.compile("be|ge|för")),
    }
)
#: Short words whose two vowels are two syllables, against the rule of their language.
_APART_WORDS = {
    "it": "mio mia mie miei tuo tua tue suo sua sue io dio dia zio zia via vie due poi sia stia",
    "pt": "tia dia dias via lua rua sua suas tua tuas rio tio mia fria nua alegria agonia fantasia",
}
_APART = {language: frozenset(words.split()) for language, words in _APART_WORDS.items()}
_ACCENTED = frozenset("áéíóúàèìòùâêôãõ")


def has_rules(language: str) -> bool:
    """Whether `nuclei_of` knows a language."""
    return language in _RULES


def nuclei_of(word: str, language: str) -> list[tuple[int, int, int]]:
    """(first letter, the one after its last, stress 0 or 1) of each vowel sound of a word, at least one.

    Args:
        word: letters of one word, as many as in what is asked for.
        language: one that `has_rules`.
    """
    rules, text = _RULES[language], _normal(word)
    if len(text) != len(word):  # a letter that has no lower case of one letter
        text = word.lower() if len(word.lower()) == len(word) else word
    silent = {place for match in rules.silent.finditer(text) for place in range(*match.span())}
    spans: list[tuple[int, int]] = []
    place = 0
    while place < len(text):
        if text[place] not in rules.vowels or place in silent:
            place += 1
            continue
        match = None if text in _APART.get(language, ()) else rules.together.match(text, place)
        end = match.end() if match and not silent & {*range(place, match.end())} else place + 1
        spans.append((place, end))
        place = end
    spans = spans or [(match.start(), match.end()) for match in re.finditer(f"[{rules.vowels}]", text)][:1] or [(0, 1)]
    main = _stressed(text, spans, rules)
    return [(start, end, int(index == main)) for index, (start, end) in enumerate(spans)]


def _stressed(text: str, spans: list[tuple[int, int]], rules: _Rules) -> int:
    """Index of the stressed vowel."""
    last = len(spans) - 1
    accents = [index for index, (start, end) in enumerate(spans) if _ACCENTED & {*text[start:end]}]
    if rules.stress == "first":
        match = rules.unstressed.match(text)
        passed = match is not None and last > 0 and spans[0][1] <= match.end()
        # be-deu-ten and Ge-fühl, but ge-hen and be-ten
        return int(passed and (last > 1 or text[spans[1][0] : spans[1][1]] != "e"))
    if rules.stress == "last":
        return last
    if accents:
        return accents[-1]
    ends_open = text.endswith(("a", "e", "o", "as", "es", "os", "am", "em", "an", "en", "on"))
    if rules.stress == "penult" or ends_open:
        return max(0, last - 1)
    return last
