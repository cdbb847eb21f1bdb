"""The vocabulary of music tokens: every token has a readable name, and the list of names is the whole of it.

Token families lie side by side in a fixed order, so that a family is one range of ids. The order of notes is part by
part, then by pitch: within one onset, ids of notes only rise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.music.chords import QUALITIES, SHARP_NAMES, ChordSymbol
from rhapsody_lib.music.score import PART_RANGES, PARTS, TICKS_PER_BEAT

#: Time grid: 12 steps a quarter note hold sixteenths and triplets alike.
STEPS_PER_BEAT = 12
STEP_TICKS = TICKS_PER_BEAT // STEPS_PER_BEAT
#: Metres whose bars fit the grid and 72 positions.
METRES = (
    (2, 4), (3, 4), (4, 4), (5, 4), (6, 4), (2, 2), (3, 2), (3, 8), (5, 8), (6, 8), (7, 8), (9, 8), (12, 8),
)  # fmt: skip
MAX_BAR_STEPS = 72
#: Note lengths in steps: exact to a half note, then by sixteenths to two bars of four.
DURATIONS = (*range(1, 25), *range(27, 97, 3))
DRUM_STEPS = 3
VELOCITY_BINS = 7
#: Velocity level that each part has at the start of a bar; of drums, the bass drum and the snare strike harder.
USUAL_LEVELS = {"melody": 4, "drums": 2, "piano": 3, "guitar": 2, "bass": 4, "strings": 2}
_LOUD_DRUMS, _LOUD_LEVEL = frozenset({35, 36, 38, 40}), 4
#: Quarter notes a minute, 5 % apart.
TEMPI = tuple(round(40 * 1.05**index) for index in range(39))
SECTION_KINDS = ("intro", "verse", "pre-chorus", "chorus", "refrain", "bridge", "interlude", "outro", "ending", "other")
#: `Bar_k` opens a bar with k bars left in its section, itself included; 8 stands for more.
MAX_BARS_LEFT = 8
#: `Line_n` opens a bar in which a sung line of n syllables begins; 24 stands for more.
MAX_LINE_SYLLABLES = 24
#: Songs are told in C major or A minor, so parts reach half an octave beyond their ranges.
KEY_SHIFTS = (-6, 5)
QUALITY_NAMES = tuple(QUALITIES)
_QUALITY_INDEX = {quality: index for index, quality in enumerate(QUALITY_NAMES)}
OTHER_STYLE = "other"


def part_range(part: str) -> tuple[int, int]:
    """Lowest and highest pitch of a part in the model's keys."""
    low, high = PART_RANGES[part]
    return (low, high) if part == "drums" else (low + KEY_SHIFTS[0], high + KEY_SHIFTS[1])


def usual_level(part: str, pitch: int) -> int:
    """Velocity level of a part, or of one drum, at the start of a bar."""
    return _LOUD_LEVEL if part == "drums" and pitch in _LOUD_DRUMS else USUAL_LEVELS[part]


@lru_cache(maxsize=4096)
def nearest_tempo(bpm: float) -> int:
    """Index of the nearest of `TEMPI`."""
    return min(range(len(TEMPI)), key=lambda index: abs(TEMPI[index] - bpm))


def bar_steps(metre: tuple[int, int]) -> int:
    """Steps of one bar."""
    return metre[0] * 4 * STEPS_PER_BEAT // metre[1]


def _families(styles: Iterable[str]) -> dict[str, list[str]]:
    return {
        "pad": ["Pad"],
        "end": ["End"],
        "bar": [f"Bar_{left}" for left in range(1, MAX_BARS_LEFT + 1)],
        "section": [f"Section_{kind}" for kind in SECTION_KINDS],
        "metre": [f"Metre_{numerator}/{denominator}" for numerator, denominator in METRES],
        "tempo": [f"Tempo_{bpm}" for bpm in TEMPI],
        "line": [f"Line_{syllables}" for syllables in range(1, MAX_LINE_SYLLABLES + 1)],
        "position": [f"Position_{step}" for step in range(MAX_BAR_STEPS)],
        "chord": [f"Chord_{name}{quality}" for name in SHARP_NAMES for quality in QUALITY_NAMES],
        "over": [f"Over_{name}" for name in SHARP_NAMES],
        **{
            part: [f"{part.capitalize()}_{pitch}" for pitch in range(part_range(part)[0], part_range(part)[1] + 1)]
            for part in PARTS
        },
        "velocity": [f"Velocity_{level}" for level in range(VELOCITY_BINS)],
        "duration": [f"Duration_{steps}" for steps in DURATIONS],
        "mode": ["Mode_major", "Mode_minor"],
        "program": [f"Program_{program}" for program in range(128)],
        "style": [f"Style_{style}" for style in [*sorted(set(styles) - {OTHER_STYLE, ""}), OTHER_STYLE]],
    }


@dataclass(frozen=True)
class Vocabulary:
    """Token names by id, with the styles that the training songs had."""

    styles: tuple[str, ...]
    names: tuple[str, ...] = field(init=False)
    starts: dict[str, int] = field(init=False)
    sizes: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        families = _families(self.styles)
        starts, position = {}, 0
        for family, members in families.items():
            starts[family] = position
            position += len(members)
        object.__setattr__(self, "names", tuple(name for members in families.values() for name in members))
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "sizes", {family: len(members) for family, members in families.items()})

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def family_of(self) -> tuple[str, ...]:
        """Family of each id."""
        return tuple(family for family, size in self.sizes.items() for _ in range(size))

    @cached_property
    def note_span(self) -> tuple[int, int]:
        """First id of the notes and the id after the last."""
        return self.starts[PARTS[0]], self.starts["velocity"]

    @cached_property
    def lowest_notes(self) -> NDArray[np.int64]:
        """The id that pitch 0 would have in each part."""
        return np.array([self.note(part, 0) for part in PARTS], dtype=np.int64)

    @cached_property
    def numbers(self) -> NDArray[np.object_]:
        """Every id as a Python integer: songs share them, which makes a list of ids of an array at half the cost."""
        return np.array(range(len(self)), dtype=object)

    def span(self, family: str) -> slice:
        """Ids of a family."""
        return slice(self.starts[family], self.starts[family] + self.sizes[family])

    def mask(self, *families: str) -> NDArray[np.bool_]:
        """Which ids belong to one of the families, bool [vocabulary]."""
        mask = np.zeros(len(self), dtype=bool)
        for family in families:
            mask[self.span(family)] = True
        return mask

    def bar(self, bars_left: int) -> int:
        """Id of `Bar_k`."""
        return self.starts["bar"] + min(max(bars_left, 1), MAX_BARS_LEFT) - 1

    def line(self, syllables: int) -> int:
        """Id of `Line_n`."""
        return self.starts["line"] + min(max(syllables, 1), MAX_LINE_SYLLABLES) - 1

    def section(self, kind: str) -> int:
        """Id of a section's kind; unknown kinds are `other`."""
        known = kind if kind in SECTION_KINDS else "other"
        return self.starts["section"] + SECTION_KINDS.index(known)

    def metre(self, metre: tuple[int, int]) -> int:
        """Id of a metre of `METRES`."""
        return self.starts["metre"] + METRES.index(metre)

    def tempo(self, bpm: float) -> int:
        """Id of the nearest tempo."""
        return self.starts["tempo"] + nearest_tempo(bpm)

    def style(self, style: str) -> int:
        """Id of a style; unknown ones are `other`."""
        members = self.names[self.span("style")]
        name = f"Style_{style}"
        return self.starts["style"] + (members.index(name) if name in members else len(members) - 1)

    def chord(self, symbol: ChordSymbol, shift: int = 0) -> list[int]:
        """Ids of a chord that is moved by semitones: one, or two with a bass that is not the root."""
        root = (symbol.root + shift) % 12
        ids = [self.starts["chord"] + root * len(QUALITY_NAMES) + _QUALITY_INDEX[symbol.quality]]
        return ids if symbol.bass == symbol.root else [*ids, self.starts["over"] + (symbol.bass + shift) % 12]

    def symbol(self, chord: int, bass: int | None = None) -> ChordSymbol:
        """The chord of ids."""
        root, quality = divmod(chord - self.starts["chord"], len(QUALITY_NAMES))
        return ChordSymbol(root, QUALITY_NAMES[quality], root if bass is None else bass - self.starts["over"])

    def note(self, part: str, pitch: int) -> int:
        """Id of a note; `pitch` is in the model's key and in `part_range`."""
        return self.starts[part] + pitch - part_range(part)[0]

    def part_and_pitch(self, note: int) -> tuple[str, int]:
        """Part and pitch of a note's id."""
        part = self.family_of[note]
        return part, note - self.starts[part] + part_range(part)[0]

    def save(self, path: Path) -> None:
        """Write as JSON: the styles, and the names in order of id for a person to read."""
        document = {"format": 1, "styles": list(self.styles), "tokens": list(self.names)}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            DamagedArtifactError: the file is not such a vocabulary, or one of another version of the tokens.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            vocabulary = cls(tuple(map(str, document["styles"])))
            same = list(vocabulary.names) == document["tokens"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedArtifactError(
                f"{path}: is not a vocabulary of music tokens ({error}). Train again."
            ) from error
        if not same:
            raise DamagedArtifactError(f"{path}: holds tokens that this version does not know. Train again.")
        return vocabulary
