"""The words and marks of the lyrics model, and a song as one stream of them.

A stream is `<song>`, then for each section its mark and its lines, then `<end>`. **Each line is written from its last
word to its first** and closed by `<line>`: the word that rhymes is chosen first, and the rest of the line leads up to
it (Van de Cruys 2020, "Automatic Poetry Generation from Prosaic Text"). A section that returns word for
word is its mark and `<again>`: to repeat is the form's work, not the model's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.lines import break_line
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.tokens import detokenize, tokenize_line

UNKNOWN, SONG, END, LINE, AGAIN = "<unk>", "<song>", "<end>", "<line>", "<again>"
SECTION_KINDS = ("verse", "chorus", "bridge", "pre-chorus", "refrain", "outro", "other")
MARKS = (UNKNOWN, SONG, END, LINE, AGAIN, *(f"<{kind}>" for kind in SECTION_KINDS))
UNKNOWN_ID, SONG_ID, END_ID, LINE_ID, AGAIN_ID = range(5)
_SAME_KIND = {"ending": "outro"}

#: Different words that are counted at once.
_MOST_COUNTED = 1_000_000

Tokens = npt.NDArray[np.int32]


def section_id(kind: str) -> int:
    """The mark of a section kind; kinds without a mark of their own share `<other>`."""
    kind = _SAME_KIND.get(kind, kind)
    return MARKS.index(f"<{kind if kind in SECTION_KINDS else 'other'}>")


class _Counted:
    """Counts of strings in bounded memory.

    Where there are more than `_MOST_COUNTED` different ones, the rarest are forgotten: Manku & Motwani 2002,
    "Approximate Frequency Counts over Data Streams". Only what is rarer than that in any case is miscounted.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._rare = 1

    def add(self, words: Iterable[str]) -> None:
        self.counts.update(words)
        while len(self.counts) > _MOST_COUNTED:
            self.counts = Counter({word: count for word, count in self.counts.items() if count > self._rare})
            self._rare += 1


def _capitals(line: str) -> Iterable[tuple[str, bool]]:
    """Single words of a line but its first, and whether each stands capitalised."""
    for raw in line.split()[1:]:
        tokens = tokenize_line(raw)
        if len(tokens) == 1:
            yield tokens[0], raw.lstrip("\"'(")[:1].isupper()


@dataclass(frozen=True)
class Vocabulary:
    """Words by id: the marks first, then words by falling count, ties by spelling.

    Args:
        words: the words, without the marks.
        names: those of them written with a capital letter anywhere in a line.
    """

    words: tuple[str, ...]
    names: frozenset[str] = frozenset()

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Marks and words; the index is the id."""
        return MARKS + self.words

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of each mark and word."""
        return {token: index for index, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def build(cls, songs: Iterable[Lyrics], min_count: int, max_size: int) -> Vocabulary:
        """The vocabulary of songs: words seen `min_count` times or more, at most `max_size` with the marks.

        A section that returns word for word counts once. Songs are read one after another, once. Names are words that
        stand capitalised inside lines at least as often as not.
        """
        words, capital, small = _Counted(), _Counted(), _Counted()
        for song in songs:
            lines = [line for section in dict.fromkeys(s.lines for s in song.sections) for line in section]
            words.add(token for line in lines for token in tokenize_line(line))
            met = [pair for line in lines for pair in _capitals(line)]
            capital.add(word for word, upper in met if upper)
            small.add(word for word, upper in met if not upper)
        counts = words.counts
        kept = sorted((word for word, count in counts.items() if count >= min_count), key=lambda w: (-counts[w], w))
        kept = kept[: max(0, max_size - len(MARKS))]
        names = (word for word in kept if capital.counts[word] and capital.counts[word] >= small.counts[word])
        return cls(tuple(kept), frozenset(names))

    def encode_line(self, tokens: Sequence[str]) -> list[int]:
        """Ids of a line's tokens, last word first, without the line mark."""
        return [self.ids.get(token, UNKNOWN_ID) for token in reversed(tokens)]

    def encode_song(self, song: Lyrics) -> Tokens:
        """The song's stream, int32 [tokens]."""
        stream = [SONG_ID]
        seen: set[tuple[str, ...]] = set()
        for section in song.sections:
            stream.append(section_id(section.kind))
            if section.lines in seen:
                stream.append(AGAIN_ID)
                continue
            seen.add(section.lines)
            for line in section.lines:
                for piece in break_line(line):
                    tokens = tokenize_line(piece)
                    stream += [*self.encode_line(tokens), LINE_ID] if tokens else []
        return np.array([*stream, END_ID], dtype=np.int32)

    def write_line(self, tokens: Sequence[str]) -> str:
        """Tokens in reading order as a line to read, names with their capitals."""
        return detokenize([token[:1].upper() + token[1:] if token in self.names else token for token in tokens])

    def save(self, path: Path) -> None:
        """Write as JSON."""
        content = {"marks": MARKS, "names": sorted(self.names), "words": self.words}
        path.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            DamagedArtifactError: the file is no vocabulary, or one of other marks.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            marks, words, names = tuple(content["marks"]), tuple(content["words"]), frozenset(content["names"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedArtifactError(f"{path}: is no vocabulary ({error}). Train the lyrics model again.") from error
        if marks != MARKS or not all(isinstance(word, str) for word in words):
            raise DamagedArtifactError(f"{path}: has other marks than this version. Train the lyrics model again.")
        return cls(words, names)
