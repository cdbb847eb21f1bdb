"""The part of MusicXML that a lead sheet is made of: one sung voice, chords, words, key, metre, tempo, repeats.

Times are exact fractions of a quarter note from the start of a measure. Bad values in a single element are left out
where the rest still makes sense, and refused where it does not.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element

from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.chords import QUALITIES, ChordSymbol

MAX_NOTES = 20_000
_MAX_QUARTERS = Fraction(256)
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: Quality of each MusicXML chord kind; richer chords keep what `QUALITIES` can say of them.
KINDS = {
    "major": "", "minor": "m", "augmented": "aug", "diminished": "dim", "dominant": "7", "major-seventh": "maj7",
    "minor-seventh": "m7", "diminished-seventh": "dim7", "augmented-seventh": "aug", "half-diminished": "m7b5",
    "major-minor": "m", "minor-major": "m", "major-sixth": "6", "minor-sixth": "m6", "dominant-ninth": "9",
    "major-ninth": "maj7", "minor-ninth": "m9", "dominant-11th": "9", "major-11th": "maj7", "minor-11th": "m9",
    "dominant-13th": "9", "major-13th": "maj7", "minor-13th": "m9", "suspended-second": "sus2",
    "suspended-fourth": "sus4", "power": "", "maj69": "6", "augmented-ninth": "aug",
}  # fmt: skip
_BEAT_UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}
_LABEL = re.compile(r"^\W*(intro|introduction|verse|chorus|refrain|bridge|coda)s?\b", re.IGNORECASE)


@dataclass(frozen=True)
class LyricText:
    """What one verse sings on a note: MusicXML's `syllabic` (single, begin, middle, end) and the text as typed."""

    syllabic: str
    text: str


@dataclass
class SheetNote:
    """A sounding note of the sung voice. `words` maps verse numbers (from 1) to what is sung."""

    offset: Fraction
    duration: Fraction
    pitch: int
    tie_stop: bool
    words: dict[int, LyricText]


@dataclass
class Measure:
    """A written measure. `endings` are the passes that it is played in (empty: every pass)."""

    length: Fraction = Fraction(0)
    notes: list[SheetNote] = field(default_factory=list)
    chords: list[tuple[Fraction, ChordSymbol]] = field(default_factory=list)
    time: tuple[int, int] | None = None
    fifths: int | None = None
    minor: bool = False
    tempo_bpm: float | None = None
    implicit: bool = False
    repeat_start: bool = False
    repeat_end: bool = False
    endings: tuple[int, ...] = ()
    double_bar: bool = False
    label: str = ""


def text_at(element: Element | None, path: str) -> str:
    """The text of a descendant with its spaces collapsed, '' if there is none."""
    found = element.findtext(path) if element is not None else None
    return " ".join((found or "").split())


def _integer(text: str | None) -> int | None:
    match = re.match(r"^\s*([+-]?\d{1,6})(?:\.0*)?\s*$", text or "")
    return int(match.group(1)) if match else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) < 1e18 else None


class PartReader:
    """Reads the measures of one part in order; holds what carries over: divisions, transposition."""

    def __init__(self, name: str, voice: tuple[str, str]) -> None:
        self._name, self._voice = name, voice
        self._divisions = 0.0
        self._transpose = 0
        self._notes = 0
        self._open_endings: tuple[int, ...] = ()

    def _fail(self, detail: str) -> UnreadableFileError:
        return UnreadableFileError(self._name, "bad_musicxml", detail, "Export it again from a score editor.")

    def _quarters(self, text: str | None) -> Fraction:
        """A duration in divisions as quarters."""
        value = _number(text)
        if value is None:
            return Fraction(0)
        if value < 0 or self._divisions <= 0:
            raise self._fail(
                "has a negative duration." if value < 0 else "names no valid divisions of the quarter note."
            )
        quarters = Fraction(value / self._divisions).limit_denominator(20160)
        if quarters > _MAX_QUARTERS:
            raise UnreadableFileError(self._name, "too_large", "has a note of hundreds of beats.", "Is it one song?")
        return quarters

    def measure(self, element: Element, attributes: Element) -> Measure:
        """One measure: its content, and the element that carries its number and `implicit`."""
        measure = Measure(implicit=attributes.get("implicit") == "yes")
        cursor, chord_start = Fraction(0), Fraction(0)
        for child in element:
            if child.tag == "attributes":
                self._attributes(child, measure)
            elif child.tag == "note":
                in_chord = child.find("chord") is not None
                start = chord_start if in_chord else cursor
                length = Fraction(0) if child.find("grace") is not None else self._quarters(child.findtext("duration"))
                self._note(child, measure, start, length)
                chord_start, cursor = start, max(cursor, start + length) if in_chord else start + length
                measure.length = max(measure.length, cursor)
            elif child.tag in {"backup", "forward"}:
                length = self._quarters(child.findtext("duration"))
                cursor = max(Fraction(0), cursor - length) if child.tag == "backup" else cursor + length
                measure.length = max(measure.length, cursor)
            elif child.tag == "harmony":
                self._harmony(child, measure, cursor)
            elif child.tag in {"direction", "sound"}:
                self._direction(child, measure)
            elif child.tag == "barline":
                self._barline(child, measure)
        measure.endings = self._ending_of(element)
        return measure

    def _attributes(self, element: Element, measure: Measure) -> None:
        divisions = element.findtext("divisions")
        if divisions is not None:
            value = _number(divisions)
            if value is None or value <= 0:
                raise self._fail(f"has divisions '{divisions.strip()[:20]}'.")
            self._divisions = value
        measure.fifths = _integer(element.findtext("key/fifths"))
        measure.minor = text_at(element, "key/mode") == "minor"
        self._transpose = _integer(element.findtext("transpose/chromatic")) or self._transpose
        time = element.find("time")
        if time is not None:
            beats = [_integer(part) for text in time.findall("beats") for part in (text.text or "").split("+")]
            units = [_integer(text.text) for text in time.findall("beat-type")]
            total = sum(beat or 0 for beat in beats)
            if units and len(set(units)) == 1 and units[0] in {1, 2, 4, 8, 16, 32} and 1 <= total <= 32:
                measure.time = (total, units[0])

    def _note(self, element: Element, measure: Measure, start: Fraction, length: Fraction) -> None:
        pitch = element.find("pitch")
        wanted = (text_at(element, "voice") or "1", text_at(element, "staff") or "1") == self._voice
        if pitch is None or not length or not wanted or element.find("cue") is not None:
            return
        step, octave = text_at(pitch, "step").upper(), _integer(pitch.findtext("octave"))
        alter = _number(pitch.findtext("alter") or "0")
        if step not in _STEPS or octave is None or alter is None:
            raise self._fail(f"has a note '{step[:10]}' that is none.")
        midi = 12 * (octave + 1) + _STEPS[step] + round(max(-3.0, min(3.0, alter))) + self._transpose
        self._notes += 1
        if self._notes > MAX_NOTES:
            raise UnreadableFileError(self._name, "too_large", f"has more than {MAX_NOTES:,} notes.", "Is it one song?")
        if not 0 <= midi <= 127:
            return
        words = _words(element)
        if measure.notes and measure.notes[-1].offset == start:  # a chord: its highest note is the melody
            last = measure.notes[-1]
            last.pitch, last.words = max(last.pitch, midi), last.words or words
            return
        tie_stop = any(tie.get("type") == "stop" for tie in element.findall("tie"))
        measure.notes.append(SheetNote(start, length, midi, tie_stop, words))

    def _harmony(self, element: Element, measure: Measure, cursor: Fraction) -> None:
        kind = text_at(element, "kind").lower()
        root = _pitch_class(element, "root/root-step", "root/root-alter")
        if root is None or kind == "none":
            return
        quality = KINDS.get(kind, "m" if kind.startswith("minor") else "")
        typed = (element.find("kind").get("text") or "").strip() if element.find("kind") is not None else ""  # type: ignore[union-attr]
        if kind not in KINDS and typed in QUALITIES:
            quality = typed
        bass = _pitch_class(element, "bass/bass-step", "bass/bass-alter")
        offset = _number(element.findtext("offset")) or 0.0
        shift = Fraction(offset / self._divisions).limit_denominator(480) if self._divisions > 0 else Fraction(0)
        place = max(Fraction(0), min(cursor + shift, cursor + _MAX_QUARTERS))
        measure.chords.append((place, ChordSymbol(root, quality, root if bass is None else bass)))

    def _direction(self, element: Element, measure: Measure) -> None:
        sound = element if element.tag == "sound" else element.find("sound")
        tempo = _number(sound.get("tempo")) if sound is not None else None
        per_minute = _number(text_at(element, "direction-type/metronome/per-minute").lstrip("ca. ="))
        if not tempo and per_minute:
            unit = _BEAT_UNITS.get(text_at(element, "direction-type/metronome/beat-unit"), 1.0)
            tempo = (
                per_minute * unit * (1.5 if element.find("direction-type/metronome/beat-unit-dot") is not None else 1)
            )
        if tempo and 20 <= tempo <= 400 and measure.tempo_bpm is None:
            measure.tempo_bpm = tempo
        for path in ("direction-type/rehearsal", "direction-type/words"):
            for text in element.findall(path):
                match = _LABEL.match(text.text or "")
                if match:
                    label = match.group(1).lower()
                    measure.label = {"introduction": "intro", "refrain": "chorus", "coda": "outro"}.get(label, label)

    def _barline(self, element: Element, measure: Measure) -> None:
        repeat = element.find("repeat")
        if repeat is not None:
            measure.repeat_start = measure.repeat_start or repeat.get("direction") == "forward"
            measure.repeat_end = measure.repeat_end or repeat.get("direction") == "backward"
        if element.get("location", "right") == "right" and text_at(element, "bar-style") == "light-light":
            measure.double_bar = True

    def _ending_of(self, element: Element) -> tuple[int, ...]:
        """The passes of the volta bracket over a measure."""
        stops = False
        for ending in element.findall("barline/ending"):
            if ending.get("type") == "start":
                numbers = re.findall(r"\d{1,2}", ending.get("number", ""))
                self._open_endings = tuple(int(number) for number in numbers[:16])
            else:
                stops = True
        current = self._open_endings
        if stops:
            self._open_endings = ()
        return current


def _pitch_class(element: Element, step_path: str, alter_path: str) -> int | None:
    step = text_at(element, step_path).upper()
    alter = _number(element.findtext(alter_path) or "0")
    return None if step not in _STEPS or alter is None else (_STEPS[step] + round(max(-2.0, min(2.0, alter)))) % 12


def _words(note: Element) -> dict[int, LyricText]:
    words: dict[int, LyricText] = {}
    for position, lyric in enumerate(note.findall("lyric")[:20], start=1):
        text = " ".join(
            "".join(
                (part.text or "") if part.tag == "text" else " " for part in lyric if part.tag in {"text", "elision"}
            ).split()
        )
        number = _integer(lyric.get("number")) or position
        if text and 1 <= number <= 20:
            words.setdefault(number, LyricText(text_at(lyric, "syllabic") or "single", text[:100]))
    return words
