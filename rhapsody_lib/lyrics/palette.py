"""The words that the songs of one prompt may use, as one short table: everything that drawing a word looks up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.model import Floats, LyricsModel
from rhapsody_lib.lyrics.runs import Hashes, word_hashes
from rhapsody_lib.lyrics.vocabulary import LINE_ID, MARKS, UNKNOWN_ID
from rhapsody_lib.words.syllables import syllables

#: At most so many words: what a song costs does not grow with the vocabulary beyond it.
MOST_WORDS = 4096
#: The line mark's place in every palette.
LINE = 0
#: Words of lower ids are common: they may return as often as they like.
COMMON_WORDS = len(MARKS) + 80
#: Words that leave a line hanging wherever it ends. Others that seldom end lines are known by the training songs.
_HANGING = frozenset((
    "a", "an", "the", "and", "or", "nor", "but", "of", "my", "your", "our", "their", "its", "his", "every", "if",
    "than", "as", "because", "although", "unless", "whose", "i'm", "you're", "we're", "they're", "i'll", "you'll",
    "we'll", "they'll", "he'll", "she'll", "it'll", "i've", "you've", "we've", "they've", "i'd", "we'd", "very",
    "into", "onto", "upon", "who's", "that's", "what's", "there's", "where's", "am",
))  # fmt: skip
#: Words used so seldom in the training songs tell nothing of where they stand in lines.
_FEW_USES = 4
#: Words this many times likelier in the company of the prompt's are of its theme.
_OF_THE_THEME = 1.5
#: A song that speaks of the one does not go on about the other.
_CASTS = (
    ("he", "him", "his", "he's", "he'd", "he'll", "himself"),
    ("she", "her", "hers", "she's", "she'd", "she'll", "herself"),
)
Integers = npt.NDArray[np.int64]


class Palette:
    """The line mark, then the words that may be drawn and those of the prompt. Arrays are by place in the palette.

    Args:
        model: the trained model.
        prompt: the prompt's words. Those that the model does not know are read as unknown, and may be brought back.

    Attributes:
        ids: the model's token of each, `UNKNOWN_ID` for words of the prompt that it does not know, int64 [words].
        known: whether the model knows it.
        places: place of each word by its text.
        odds: factors by which words of the prompt's company are preferred; 0 for what is only read, float32 [words].
        syllables: of each word, at least 1, int64 [words].
        common: whether it is one of the commonest words.
        may_end: whether a line may end in it.
        may_start: whether a line may begin with it.
        of_theme: whether it is a word of the prompt or of its company.
    """

    def __init__(self, model: LyricsModel, prompt: Iterable[str]) -> None:
        steering, known_ids = model.steering, model.vocabulary.ids
        said = list(dict.fromkeys(prompt))
        theme = [known_ids[word] for word in said if known_ids.get(word, 0) >= COMMON_WORDS]
        extra = [word for word in said if known_ids.get(word, 0) < len(MARKS)]
        related = model.phrases.related(theme)
        chosen = _chosen(steering.drawable, (steering.uses + 0.5) * related, theme)
        others = [known_ids[word] for word in said if word not in extra and known_ids[word] not in chosen]
        ids = np.concatenate([[LINE_ID], chosen, np.array(others, dtype=np.int64)]).astype(np.int64)
        self.texts: tuple[str, ...] = (*(model.vocabulary.tokens[token] for token in ids.tolist()), *extra)
        self.places = {text: place for place, text in enumerate(self.texts)}
        self.ids: Integers = np.concatenate([ids, np.full(len(extra), UNKNOWN_ID, dtype=np.int64)])
        self.known = self.ids != UNKNOWN_ID
        # Symbols and other scripts stay where the prompt has them: they are not strewn about.
        strewn = [word.isascii() and word[:1].isalpha() for word in extra]
        self.odds: Floats = np.concatenate([related[ids], np.array(strewn, dtype=np.float32)]).astype(np.float32)
        self.odds[LINE] = 1
        counts = [max(len(syllables(word)), 1) for word in extra]
        # A word of no syllables could be drawn without end.
        self.syllables: Integers = np.concatenate([np.maximum(steering.syllables[ids], 1), counts]).astype(np.int64)
        self.syllables[LINE] = 0
        pad = (0, len(extra))
        self.common = np.pad(ids < COMMON_WORDS, pad)
        seldom = (steering.uses[ids] < _FEW_USES) & ~self.common[: len(ids)]
        hanging = np.array([text in _HANGING for text in self.texts[: len(ids)]], dtype=np.bool_)
        self.may_end = np.pad((steering.may_end[ids] | seldom) & ~hanging, pad)
        self.may_start = np.pad(steering.may_start[ids] | seldom, pad, constant_values=True)
        said_now = np.isin(np.arange(len(self.texts)), [self.places[word] for word in said])
        self.of_theme = ~self.common & ((self.odds >= _OF_THE_THEME) | said_now) & (self.odds > 0)
        self.rhyme_classes: Integers = np.pad(steering.rhyme_classes[ids], pad, constant_values=-1).astype(np.int64)
        self.casts = [[self.places[word] for word in cast if word in self.places] for cast in _CASTS]

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def hashes(self) -> Hashes:
        """The hash of each word, for runs."""
        return word_hashes(self.texts)

    def count_syllables(self, words: Sequence[int]) -> int:
        """Syllables of a line."""
        return int(self.syllables[list(words)].sum())


def _chosen(drawable: npt.NDArray[np.bool_], worth: npt.NDArray[np.floating], theme: Sequence[int]) -> Integers:
    """Tokens of the words that may be drawn, in the model's order: the common, the most used and related."""
    may = drawable.copy()
    may[: len(MARKS)] = False
    words = np.flatnonzero(may)
    if len(words) > MOST_WORDS:
        kept = np.isin(words, np.array(theme, dtype=np.int64)) | (words < COMMON_WORDS)
        ranked = np.argsort(np.where(kept, -np.inf, -worth[words]), kind="stable")
        words = np.sort(words[ranked[:MOST_WORDS]])
    return words.astype(np.int64)
