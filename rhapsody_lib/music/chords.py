"""Chord symbols and keys: parsing, spelling, pitch classes. Pure arithmetic, no dependency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Mode = Literal["major", "minor"]

#: Intervals above the root in semitones, by chord quality as it is written.
QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "dim": (0, 3, 6),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7sus4": (0, 5, 7, 10),
    "add9": (0, 4, 7, 14),
}
SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLAT_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
#: Tonics (pitch class of the relative major) whose key signature has flats.
_FLAT_MAJORS = frozenset({5, 10, 3, 8, 1})
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_CHORD = re.compile(r"^([A-G])([#b]?)([a-z0-9]*)(?:/([A-G])([#b]?))?$")
_KEY = re.compile(r"^([A-G])([#b]?)\s*(major|minor|m|maj|min)?$", re.IGNORECASE)

MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10)


def _pitch_class(letter: str, accidental: str) -> int:
    return (_LETTERS[letter] + {"": 0, "#": 1, "b": -1}[accidental]) % 12


@dataclass(frozen=True, slots=True)
class ChordSymbol:
    """A chord: `root` and `bass` are pitch classes (0 = C), `quality` a key of `QUALITIES`."""

    root: int
    quality: str
    bass: int

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes of the chord tones, root first, without the slash bass."""
        return tuple((self.root + step) % 12 for step in QUALITIES[self.quality])

    def transposed(self, semitones: int) -> ChordSymbol:
        """The same chord, `semitones` higher."""
        return ChordSymbol((self.root + semitones) % 12, self.quality, (self.bass + semitones) % 12)

    def name(self, *, flats: bool = False) -> str:
        """The symbol as written, with sharps or flats."""
        names = FLAT_NAMES if flats else SHARP_NAMES
        slash = "" if self.bass == self.root else "/" + names[self.bass]
        return names[self.root] + self.quality + slash


@lru_cache(maxsize=4096)
def parse_chord(text: str) -> ChordSymbol:
    """Read a chord symbol such as `F#m7b5` or `C/G`.

    Raises:
        ValueError: the text is not one of the symbols in `QUALITIES`.
    """
    match = _CHORD.match(text.strip())
    if match is None or match.group(3) not in QUALITIES:
        raise ValueError(f"'{text}' is not a chord symbol such as C, F#m7 or Bb/D")
    root = _pitch_class(match.group(1), match.group(2))
    bass = _pitch_class(match.group(4), match.group(5)) if match.group(4) else root
    return ChordSymbol(root, match.group(3), bass)


@dataclass(frozen=True, slots=True)
class Key:
    """A key: `tonic` is a pitch class (0 = C)."""

    tonic: int
    mode: Mode

    @property
    def scale(self) -> tuple[int, ...]:
        """The seven pitch classes of the (natural minor or major) scale, tonic first."""
        steps = MAJOR_SCALE if self.mode == "major" else MINOR_SCALE
        return tuple((self.tonic + step) % 12 for step in steps)

    @property
    def uses_flats(self) -> bool:
        """Whether the key signature has flats."""
        return (self.tonic if self.mode == "major" else (self.tonic + 3) % 12) in _FLAT_MAJORS

    @property
    def name(self) -> str:
        """The key as a musician writes it, e.g. `Bb major`."""
        return f"{(FLAT_NAMES if self.uses_flats else SHARP_NAMES)[self.tonic]} {self.mode}"

    def transposed(self, semitones: int) -> Key:
        """The same mode, `semitones` higher."""
        return Key((self.tonic + semitones) % 12, self.mode)


def parse_key(text: str) -> Key:
    """Read a key such as `G major`, `Bb`, `F# minor` or `Am`.

    Raises:
        ValueError: the text is not a key.
    """
    match = _KEY.match(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not a key such as 'G major', 'Bb' or 'A minor'")
    minor = (match.group(3) or "major").lower() in {"minor", "m", "min"} and match.group(3) != "M"
    return Key(_pitch_class(match.group(1).upper(), match.group(2)), "minor" if minor else "major")
