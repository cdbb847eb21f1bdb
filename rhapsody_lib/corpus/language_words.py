"""Languages told by their function words, where these leave no doubt.

A list holds words that are frequent in one language and are words of no other that `language.LANGUAGES` names: not
`die` (German, English, Dutch) nor `que` (Portuguese, Spanish, French). Whatever they do not settle is left to lingua.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

#: A smaller share of the words is not certain; nor are fewer hits than `LEAST_HITS` (in a text of few words, where
#: trigrams are more often wrong, than `LEAST_OF_FEW`); nor a second language with a larger share of the first's hits.
LEAST_SHARE, LEAST_HITS, LEAST_OF_FEW, MOST_OF_SECOND = 0.08, 6, 2, 0.125
_FEW_WORDS, _MAX_WORDS = 40, 400
_WORDS = {
    "de": "und ich nicht ist mit auf für wir sie auch dich mich mir dir sich wenn zum nur aus kein keine über "
    "durch sind habe bin haben wird werden mein dein sein meine deine ihr zu",
    "en": "the and you that with your it this are what they but when i'm don't it's can't from know would she "
    "there where just were who which thee thy thou shall could should their our then than into upon "
    "through i'll you're",
    "es": "el los las pero muy yo qué más corazón cuando donde siempre ella hay soy estoy eso aquí así también "
    "después quiero tus sus fue voy hasta quién cómo ahora hoy eres noche puedo tengo tiene quiere",
    "fr": "je les dans pas une pour mon c'est j'ai avec vous nous elle ça où cette sont suis être tout toi moi "
    "mes ses leur aux qu'il n'est jamais comme rien quand t'es",
    "it": "che è sono più gli della nel nella questo quella mio c'è perché anche cuore senza dove così tutto "
    "ancora niente degli delle voglio",
    "pt": "não você uma meu minha eu em pra muito seu isso tudo também então teu ele ela foi ao nem são só "
    "coração mim já até sem bem estou vou nós depois agora assim quem minhas há",
}
_LANGUAGE_OF = {word: code for code, words in _WORDS.items() for word in words.split()}


def language_by_function_words(words: Sequence[str]) -> str | None:
    """The ISO 639-1 code that the function words of a text (case-folded) are clearly of; None if they are not."""
    read = words[:_MAX_WORDS]
    hits = Counter(map(_LANGUAGE_OF.get, read))
    del hits[None]
    ranked = hits.most_common(2)
    least = LEAST_OF_FEW if len(read) < _FEW_WORDS else LEAST_HITS
    if not ranked or ranked[0][1] < max(least, LEAST_SHARE * len(read)):
        return None
    second = ranked[1][1] if len(ranked) > 1 else 0
    return ranked[0][0] if second <= MOST_OF_SECOND * ranked[0][1] else None
