"""Whether every one of many songs, made by the ordinary steps, opens in the libraries that people have."""

from __future__ import annotations

import io
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from rhapsody_lib import operations
from rhapsody_lib.operations.pipelines import train_models
from rhapsody_lib.operations.requests import check_request
from rhapsody_lib.progress import reporter
from rhapsody_lib.release import Release
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.song.karaoke import backing_midi, karaoke_file, song_midi
from rhapsody_lib.song.sung_words import sung_syllables
from tests.benchmarks.backing_bench import Bench
from tests.benchmarks.table import Row

SONGS, QUICK_SONGS = 300, 10
PROMPTS = (
    "the sky is blue",
    "Where did you go, when the lights went out?",
    "rain",
    "I have walked a thousand miles to the sea\nand nobody there was waiting for me",
    "CAN YOU HEAR THE THUNDER",
    "don't stop -- 99 red kites, all of 'em mine",
    "Ein Lied für die naïve Señorita in the café",
    "sleep now my little one the moon is on the hill and the boats are in the harbour and the wind is still",
    "dear john",
    "we'll be dancing in the kitchen at a quarter past three",
    "love; love! love?",
    "my grandmother's radio only knows the blues",
    "Ain't it funny (how the time goes by)",
)
WISHES: tuple[dict[str, Any], ...] = (
    {},
    {"with_primer": False},
    {"primer": "none"},
    {"key": "Eb major", "tempo_bpm": 66.0},
    {"form": "verse chorus verse chorus bridge chorus"},
    {"primer": "none", "key": "F# minor", "tempo_bpm": 172.0},
    {"lines_per_section": 2, "syllables_per_line": 6},
    {"form": "chorus verse chorus", "syllables_per_line": 14},
)


def _with_mido(data: bytes) -> tuple[int, int]:
    """Notes, and lyric events; every one of both checked.

    Raises:
        ValueError: a note is never let go, or a lyric event is on no note of the melody.
    """
    import mido

    notes, onsets, words = 0, set[int](), list[int]()
    for track in mido.MidiFile(file=io.BytesIO(data), charset="utf-8").tracks:
        now, sounding = 0, Counter[tuple[int, int]]()
        for message in track:
            now += message.time
            if message.type == "lyrics":
                words.append(now)
            elif message.type == "note_on" and message.velocity:
                sounding[message.channel, message.note] += 1
                notes += 1
                onsets |= {now} if track.name == "melody" else set()
            elif message.type in {"note_on", "note_off"}:
                sounding[message.channel, message.note] -= 1
        if any(sounding.values()):
            raise ValueError(f"{track.name}: a note is struck and not let go, or let go and not struck")
    if not onsets.issuperset(words):
        raise ValueError("a syllable is on no note of the melody")
    return notes, len(words)


def _with_pretty_midi(data: bytes) -> tuple[int, int]:
    import pretty_midi

    file = pretty_midi.PrettyMIDI(io.BytesIO(data))
    return sum(len(track.notes) for track in file.instruments), len(file.lyrics)


def _with_symusic(data: bytes) -> tuple[int, int]:
    import symusic

    file = symusic.Score.from_midi(data)
    return sum(len(track.notes) for track in file.tracks), -1


def _with_music21(data: bytes) -> tuple[int, int]:
    from music21 import converter

    opened = converter.parse(data, format="midi", quantizePost=False)
    return sum(len(found.pitches) if found.isChord else 1 for found in opened.recurse().notes), -1


#: music21 takes seconds for a file, so it is given the one with all parts and words.
_ALL_IN_ONE = "song.mid"
READERS: Mapping[str, Callable[[bytes], tuple[int, int]]] = {
    "mido": _with_mido,
    "pretty_midi": _with_pretty_midi,
    "symusic": _with_symusic,
    "music21": _with_music21,
}


def faults(files: Mapping[str, bytes], notes: Mapping[str, int], syllables: int) -> dict[str, str]:
    """What is wrong with a song's files by the library that says so; nothing where all is well.

    Args:
        files: MIDI files by name.
        notes: notes that each should have. music21 need only open it: it joins notes of one pitch and onset.
        syllables: lyric events that `song.mid` should have.
    """
    found: dict[str, str] = {}
    for reader, read in READERS.items():
        if find_spec(reader) is None:
            continue
        for name, data in files.items():
            if reader == "music21" and name != _ALL_IN_ONE:
                continue
            try:
                counted, words = read(data)
            except Exception as error:  # whatever a library says of the file is the finding
                found[reader] = f"{name}: {type(error).__name__}: {error}"
                continue
            if reader != "music21" and counted != notes[name]:
                found[reader] = f"{name}: {counted} notes instead of {notes[name]}"
            elif name == _ALL_IN_ONE and words not in {-1, syllables}:
                found[reader] = f"{name}: {words} syllables instead of {syllables}"
    return found


def made(store: str, release: Release, number: int) -> tuple[dict[str, bytes], dict[str, int], int]:
    """The MIDI files of a song by the ordinary steps, the notes that each has, and the syllables of its words."""
    wishes = WISHES[number % len(WISHES)]
    request = check_request(prompt=PROMPTS[number % len(PROMPTS)], seed=number, candidates=4, audio=False, **wishes)
    draft = operations.write_lyrics(store, release, request)
    matches = operations.find_match(store, release, draft)
    composition = operations.compose_backing(store, release, request, draft, matches)
    score = fit_words(draft.best.lyrics, composition.score)
    files = {"song.mid": song_midi(score), "song.kar": karaoke_file(score), "backing.mid": backing_midi(score)}
    played = sum(len(notes) for notes in score.parts.values())
    notes = {"song.mid": played, "song.kar": played, "backing.mid": played - len(score.parts["melody"])}
    return files, notes, sum(len(sung_syllables(line)) for line in draft.best.lyrics.lines)


def opens(bench: Bench) -> list[Row]:
    """Songs to prompts of many kinds, of all wishes, each with another seed."""
    short = ["lyrics.max_epochs=2"] if bench.quick else ["lyrics.max_epochs=10"]
    refs = train_models(operations, bench.store, bench.settings("lyrics.base=none", *short), ["songbook"])
    release = Release(1, refs, {}, None, "", "")
    bench.left_out += [f"opening in {name}: it is not installed" for name in READERS if find_spec(name) is None]
    return measured(bench, release, QUICK_SONGS if bench.quick else SONGS)


def measured(bench: Bench, release: Release, songs: int) -> list[Row]:
    """The rows of so many songs of a release; what is wrong with any is named."""
    told, good, seconds = reporter("Songs"), 0, list[float]()
    wrong: Counter[str] = Counter()
    for number in range(songs):
        started = time.perf_counter()
        files, notes, syllables = made(bench.store, release, number)
        seconds.append(time.perf_counter() - started)
        found = faults(files, notes, syllables)
        bench.left_out += [f"song {number} is not well in {reader}: {reason}" for reader, reason in found.items()]
        wrong.update(found.keys())
        good += not found
        told(number + 1, songs, "songs")
    rows = [
        Row(f"songs of {songs} that open in {reader}", songs - wrong[reader], songs, met=not wrong[reader])
        for reader in READERS
        if find_spec(reader) is not None
    ]
    missing = [name for name in READERS if find_spec(name) is None]
    where = f"wherever was looked, not in {', '.join(missing)}" if missing else "everywhere"
    what = f"songs of {songs} that open {where}, each syllable on a note"
    # Songs that do not open in one reader fail the target; where a reader is missing nobody knows whether it is met.
    met = False if good < songs else None if missing else True
    return [
        *rows,
        Row(what, good, songs, target=f"{songs} everywhere", met=met),
        Row("s a song, words to files", round(statistics.median(seconds), 2)),
    ]
