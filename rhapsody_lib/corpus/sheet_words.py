"""Words from the syllables that a lead sheet has under its notes, as people type them.

Mended: verse numbers typed into the words, hyphens typed after syllables, syllables marked as whole words (`ap ple`),
words never ended.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from rhapsody_lib.corpus.musicxml_measures import LyricText, Measure
from rhapsody_lib.music.score import Syllable

_VERSE_NUMBER = re.compile(r"^\s*\(?\d{1,2}\s*[.):]+\s*")
_HYPHENS = "-‐‑­"
_MAX_JOINED = 4
#: Words of one syllable-like piece that are words by themselves, whatever stands beside them.
_WHOLE = frozenset(
    """
    a ah am an and are as at be been but by can come day do down for from get give go good had has have he hear
    heart her here him his home how i if in is it just know la let like lo long love man may me more my near night
    no not now of oh old on one or our out over own ring roses say see she sing so some song still sweet take tell
    than that the thee them then there they thing this thou thy time to tra true up us was way we well were what
    when where while who why will with you your dear dream back all
    """.split()  # noqa: SIM905
)

#: Common pieces of English words that the pronouncing dictionary lists (as names), but that are no words to sing.
_FRAGMENTS = frozenset(
    """
    ac ap ar aw ba bab ban ber bil bon bout bove bro cer ci cit co com con cy da dar de der di dle do dol dom dow ed
    el em en er ers ery es est ev eve ev'ry ex fer fol fu ful gel gen ger gle gret hap ing ken ker ket lan las lem
    ler les ley li lin lis liv lon lor ly ma mar mas maz mem men mer mi min mis mon mor mu na nal nat ne nel ner
    ness ney ni nie ning noth nus ny pa par pas pen pic pla ple plea poo pos pret pro prom py ra re rec ren ri rie
    ries ris ro ron ros ru rus ry sa sai san se sec self sen ser shu sie sil sion sis sol som stel su sur sus sy ta
    tak tal tel ter ther ti til tim ting tion tle ton tor tu ture ty un val van ven ver vi vis vor wan wel wil y zen
    zing
    """.split()  # noqa: SIM905
)


def words_under(measure: Measure, verse: int) -> list[LyricText | None]:
    """What is sung on each note of a measure in a verse.

    Where the verse has no words in the measure, all verses share those of the first that has.
    """
    present = sorted({number for note in measure.notes for number in note.words})
    chosen = verse if verse in present else next(iter(present), verse)
    return [note.words.get(chosen) for note in measure.notes]


@cache
def _is_word(text: str) -> bool:
    from rhapsody_lib.words.pronunciation import phones

    return phones(text) is not None


def _letters(text: str) -> str:
    return re.sub(r"[^\w']", "", text).lower()


def _pieces(words: Sequence[tuple[int, str, str]]) -> list[tuple[int, str, bool, bool]]:
    """(ticks, text, ends its word, was typed as a whole word) of each syllable."""
    pieces: list[tuple[int, str, bool, bool]] = []
    for ticks, syllabic, typed in words:
        text = _VERSE_NUMBER.sub("", typed).replace("_", " ").strip()
        if text[:1] in _HYPHENS and text and pieces:
            pieces[-1] = (*pieces[-1][:2], False, False)
        hyphen = text[-1:] in _HYPHENS and bool(text)
        text = text.strip(_HYPHENS + " ")
        if not any(character.isalnum() for character in text):
            continue
        if pieces and syllabic in {"single", "begin"} and not pieces[-1][2] and pieces[-1][3]:
            pieces[-1] = (*pieces[-1][:2], True, True)
        ends = syllabic not in {"begin", "middle"} and not hyphen
        pieces.append((ticks, text, ends, not hyphen))
    return pieces


def _joined_run(texts: Sequence[str]) -> int:
    """How many of these whole-looking pieces, from the first, are one word; 1 for none."""
    for count in range(min(_MAX_JOINED, len(texts)), 1, -1):
        run = [_letters(text) for text in texts[:count]]
        inner_plain = all(text.isalpha() for text in texts[: count - 1])
        later_lower = all(text[:1].islower() for text in texts[1:count])
        if not inner_plain or not later_lower or any(text in _WHOLE and len(text) > 2 for text in run):
            continue
        unknown = [text for text in run if text in _FRAGMENTS or (text not in _WHOLE and not _is_word(text))]
        if unknown and _is_word("".join(run)):
            return count
    return 1


def sung_syllables(words: Sequence[tuple[int, str, str]]) -> tuple[Syllable, ...]:
    """Syllables of (tick, `syllabic`, typed text) in order; all on line 0."""
    pieces = _pieces(words)
    syllables: list[Syllable] = []
    index = 0
    while index < len(pieces):
        whole = 0
        while index + whole < len(pieces) and whole < _MAX_JOINED and pieces[index + whole][2]:
            whole += 1
        starts_word = not syllables or syllables[-1].ends_word
        count = (
            _joined_run([text for _, text, _, _ in pieces[index : index + whole]]) if starts_word and whole > 1 else 1
        )
        for offset in range(count):
            ticks, text, ends, _ = pieces[index + offset]
            last = index + offset + 1 == len(pieces)
            syllables.append(Syllable(ticks, text, last or (ends and offset + 1 == count), 0))
        index += count
    return tuple(syllables)
