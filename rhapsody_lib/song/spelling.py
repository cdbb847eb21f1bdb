"""Names of pitches and chords in a key, as a sheet of music writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rhapsody_lib.music.chords import FLAT_NAMES, SHARP_NAMES, ChordSymbol, Key

#: Sharps (or flats, negative) of the signature of each major key.
_FIFTHS = {0: 0, 7: 1, 2: 2, 9: 3, 4: 4, 11: 5, 6: 6, 5: -1, 10: -2, 3: -3, 8: -4, 1: -5}
_LINE = "FCGDAEB"
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS: Mapping[int, str] = MappingProxyType(
    {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
)
#: MusicXML's kind of each quality, and degrees added to it.
KINDS: Mapping[str, tuple[str, tuple[int, ...]]] = MappingProxyType(
    {
        "": ("major", ()),
        "m": ("minor", ()),
        "7": ("dominant", ()),
        "maj7": ("major-seventh", ()),
        "m7": ("minor-seventh", ()),
        "6": ("major-sixth", ()),
        "m6": ("minor-sixth", ()),
        "9": ("dominant-ninth", ()),
        "m9": ("minor-ninth", ()),
        "dim": ("diminished", ()),
        "dim7": ("diminished-seventh", ()),
        "m7b5": ("half-diminished", ()),
        "aug": ("augmented", ()),
        "sus2": ("suspended-second", ()),
        "sus4": ("suspended-fourth", ()),
        "7sus4": ("suspended-fourth", (7,)),
        "add9": ("major", (9,)),
    }
)


@dataclass(frozen=True, slots=True)
class Spelled:
    """A written pitch: letter, semitones of its accidental, and octave (middle C begins octave 4)."""

    step: str
    alter: int
    octave: int


def key_fifths(key: Key) -> int:
    """Sharps of the signature, flats negative."""
    return _FIFTHS[key.tonic if key.mode == "major" else (key.tonic + 3) % 12]


def spell(pitch: int, key: Key) -> Spelled:
    """The name of a pitch in a key: of twelve neighbours on the line of fifths, from three flatter than the tonic.

    So C major has E flat and B flat, but F, C and G sharp: what its own and its relative minor's chords need
    (Temperley 2001, "The Cognition of Basic Musical Structures", ch. 5, with the window fixed by the key).

    Args:
        pitch: MIDI number.
        key: of the song.
    """
    lowest = key_fifths(key) - 3
    place = next(fifth for fifth in range(lowest, lowest + 12) if fifth * 7 % 12 == pitch % 12)
    alter, letter = divmod(place + 1, 7)
    step = _LINE[letter]
    return Spelled(step, alter, (pitch - alter - _LETTERS[step]) // 12 - 1)


def signature(key: Key) -> dict[str, int]:
    """Semitones that the key's signature alters each letter by."""
    fifths = key_fifths(key)
    altered = _LINE[:fifths] if fifths >= 0 else _LINE[fifths:]
    return {letter: (1 if fifths > 0 else -1) if letter in altered else 0 for letter in _LINE}


def spell_root(pitch_class: int, key: Key) -> tuple[str, int]:
    """(letter, semitones of the accidental) of a chord's root or bass, as notes but no double ones.

    Nobody reads F double sharp as a chord; it is G.
    """
    spelled = spell(60 + pitch_class, key)
    if abs(spelled.alter) < 2:
        return spelled.step, spelled.alter
    name = (FLAT_NAMES if key.uses_flats else SHARP_NAMES)[pitch_class]
    return name[0], {"": 0, "#": 1, "b": -1}[name[1:]]


def chord_name(symbol: ChordSymbol, key: Key) -> str:
    """A chord's name in a key, with the roots that the sheet of music has."""

    def letter(pitch_class: int) -> str:
        step, alter = spell_root(pitch_class, key)
        return step + ("", "#", "b")[alter]

    return letter(symbol.root) + symbol.quality + (f"/{letter(symbol.bass)}" if symbol.bass != symbol.root else "")
