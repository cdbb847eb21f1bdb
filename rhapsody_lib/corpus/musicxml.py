"""A MusicXML score as a lead sheet: which part and voice is sung, its measures, the score's title and authors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from rhapsody_lib.corpus.musicxml_measures import Measure, PartReader, text_at
from rhapsody_lib.errors import UnreadableFileError

MAX_MEASURES = 4000


@dataclass(frozen=True)
class Sheet:
    """What a file says: its texts and the measures of its sung part."""

    title: str
    artist: str
    rights: str
    measures: list[Measure]


def _parts(root: Element, name: str) -> list[list[tuple[Element, Element]]]:
    """Parts as lists of (content of a measure, element with the measure's attributes)."""
    if root.tag == "score-partwise":
        parts = [[(measure, measure) for measure in part.findall("measure")] for part in root.findall("part")]
    else:
        columns: dict[str, list[tuple[Element, Element]]] = {}
        for measure in root.findall("measure"):
            for part in measure.findall("part"):
                columns.setdefault(part.get("id", ""), []).append((part, measure))
        parts = list(columns.values())
    if not any(parts):
        raise UnreadableFileError(name, "bad_musicxml", "has no measures.", "Export it again from a score editor.")
    if max(map(len, parts)) > MAX_MEASURES:
        raise UnreadableFileError(name, "too_large", f"has more than {MAX_MEASURES} measures.", "Is it one song?")
    return parts


def _voices(part: list[tuple[Element, Element]]) -> Counter[tuple[str, str]]:
    """Weight of each (voice, staff) of a part: notes with words count most, then notes."""
    weights: Counter[tuple[str, str]] = Counter()
    for element, _ in part:
        for note in element.findall("note"):
            if note.find("pitch") is not None:
                voice = (text_at(note, "voice") or "1", text_at(note, "staff") or "1")
                weights[voice] += 1000 if note.find("lyric") is not None else 1
    return weights


def read_sheet(root: Element, name: str) -> Sheet:
    """The sung part of a score: the voice with most notes that carry words, else with most notes.

    Chords come from that part, else from the first part that has any.

    Raises:
        UnreadableFileError: `bad_musicxml`, `no_notes` or `too_large`.
    """
    parts = _parts(root, name)
    ranked = [
        (max(weights.values()), part, max(weights, key=lambda voice: weights[voice]))
        for part in parts
        if (weights := _voices(part))
    ]
    if not ranked:
        raise UnreadableFileError(name, "no_notes", "holds no notes of definite pitch.", "Choose a file with a melody.")
    _, part, voice = max(ranked, key=lambda item: item[0])
    reader = PartReader(name, voice)
    measures = [reader.measure(element, attributes) for element, attributes in part]
    if not any(measure.notes for measure in measures):
        raise UnreadableFileError(name, "no_notes", "holds no notes that sound.", "Choose a file with a melody.")
    if not any(measure.chords for measure in measures):
        _chords_of_others(parts, measures, name)
    creators = [text_at(creator, ".") for creator in root.findall("identification/creator")]
    return Sheet(
        title=text_at(root, "movement-title") or text_at(root, "work/work-title"),
        artist=", ".join(dict.fromkeys(creator for creator in creators if creator))[:200],
        rights=text_at(root, "identification/rights")[:200],
        measures=measures,
    )


def _chords_of_others(parts: list[list[tuple[Element, Element]]], measures: list[Measure], name: str) -> None:
    for part in parts:
        if any(element.find("harmony") is not None for element, _ in part):
            reader = PartReader(name, ("", ""))
            for measure, (element, attributes) in zip(measures, part, strict=False):
                measure.chords = reader.measure(element, attributes).chords
            return
