"""Whether every one of many songs, made by the ordinary steps, opens in the libraries that people have."""

from __future__ import annotations

import hashlib
import io
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.operations.generation import open_matcher
from rhapsody_lib.operations.pipelines import train_models
from rhapsody_lib.operations.recipes import STAGE_VERSIONS
from rhapsody_lib.operations.requests import check_request
from rhapsody_lib.progress import reporter
from rhapsody_lib.release import Release
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.song.karaoke import backing_midi, karaoke_file, song_midi
from rhapsody_lib.song.sung_words import sung_language, sung_syllables
from tests.benchmarks.backing_bench import ROOT, SONGBOOK, Bench
from tests.benchmarks.table import Row

SONGS, QUICK_SONGS = 300, 10
#: Packages that write a song, beside the models.
WRITERS = ("backing", "song", "words", "music")
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
#: The music of other corpora than the songbook is written by models that were trained shortly: what is asked is whether
#: its files open. Most songs have two short sections, and every `_WHOLE`th its whole form.
_SHORT_TRAINING = ("backing.max_epochs=1", "backing.epoch_tokens=150000")
_SHORT_SONG: dict[str, Any] = {"form": "verse chorus", "lines_per_section": 2, "candidates": 1}
_WHOLE = 10
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


@cache
def _matcher(store: str, encoder: ArtifactRef, catalogue: ArtifactRef, corpus: ArtifactRef) -> Callable[..., Any]:
    """What finds the matches in a catalogue: loaded once, for loading takes longer than finding."""
    return open_matcher(
        store, Release(1, {"encoder": encoder, "catalogue": catalogue, "corpus": corpus}, {}, None, "", "")
    )


def made(store: str, release: Release, number: int) -> tuple[dict[str, bytes], dict[str, int], int]:
    """The MIDI files of a song by the ordinary steps, the notes that each has, and the syllables of its words."""
    short = _SHORT_SONG if number % _WHOLE else {"candidates": 4}
    wishes = {**short, **WISHES[number % len(WISHES)]}
    request = check_request(prompt=PROMPTS[number % len(PROMPTS)], seed=number, audio=False, **wishes)
    draft = operations.write_lyrics(store, release, request)
    matches = _matcher(store, *(release.refs[kind] for kind in ("encoder", "catalogue", "corpus")))(
        draft.best.lyrics, None
    )
    composition = operations.compose_backing(store, release, request, draft, matches)
    score = fit_words(draft.best.lyrics, composition.score)
    files = {"song.mid": song_midi(score), "song.kar": karaoke_file(score), "backing.mid": backing_midi(score)}
    played = sum(len(notes) for notes in score.parts.values())
    notes = {"song.mid": played, "song.kar": played, "backing.mid": played - len(score.parts["melody"])}
    language = sung_language(draft.best.lyrics)
    return files, notes, sum(len(sung_syllables(line, language)) for line in draft.best.lyrics.lines)


def _releases(bench: Bench) -> list[Release]:
    """The songbook's models, and the same with the music of each other corpus that is there."""
    short = ["lyrics.base=none", "lyrics.max_epochs=2"] if bench.quick else []
    refs = train_models(operations, bench.store, bench.settings(*short), [SONGBOOK])
    found = [Release(1, refs, {}, None, "", "")]
    for number, name in enumerate((name for name in bench.corpora if name != SONGBOOK), start=2):
        music = operations.train_backing(bench.store, bench.settings(*_SHORT_TRAINING), bench.corpus(name))
        found.append(Release(number, refs | {"backing": music}, {}, None, "", ""))
    return found


def opens(bench: Bench) -> list[Row]:
    """Songs to prompts of many kinds, of all wishes, each with another seed, in the music of each corpus in turn.

    What was found of a song is kept beside the store, so that a run that was cut off goes on after its last song; not
    where the code that writes songs has changed since.
    """
    bench.left_out += [f"opening in {name}: it is not installed" for name in READERS if find_spec(name) is None]
    return measured(bench, _releases(bench), QUICK_SONGS if bench.quick else SONGS)


def _code() -> str:
    """Digest of the code that writes a song's music and files."""
    digest = hashlib.sha256(str(STAGE_VERSIONS["song"]).encode())
    for package in WRITERS:
        for path in sorted((ROOT / "rhapsody_lib" / package).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of which the last may have been cut off."""
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        with suppress(ValueError):
            rows.append(json.loads(line))
    return rows


def _kept(path: Path, key: str) -> dict[int, tuple[dict[str, str], float]]:
    """What an earlier run with the same models and code found: by song its faults, and the seconds it took."""
    return {row["song"]: (row["faults"], row["seconds"]) for row in _rows(path) if row["models"] == key}


def _keep(path: Path, row: dict[str, Any]) -> None:
    """Add a row, on a line of its own even after one that was cut off."""
    cut_off = path.is_file() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as to:
        to.write("\n" * cut_off + json.dumps(row, sort_keys=True) + "\n")


def measured(bench: Bench, releases: Sequence[Release], songs: int) -> list[Row]:
    """The rows of so many songs of some releases in turn; what is wrong with any is named."""
    told, good, seconds = reporter("Songs"), 0, list[float]()
    wrong: Counter[str] = Counter()
    path = bench.folder / "opens.jsonl"
    key = "-".join([_code(), *(ref.key[:12] for release in releases for _, ref in sorted(release.refs.items()))])
    kept = _kept(path, key)
    for number in range(songs):
        if number not in kept:
            started = time.perf_counter()
            files, notes, syllables = made(bench.store, releases[number % len(releases)], number)
            took = time.perf_counter() - started
            kept[number] = faults(files, notes, syllables), took
            _keep(path, {"models": key, "song": number, "faults": kept[number][0], "seconds": took})
        found, took = kept[number]
        seconds.append(took)
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
        Row("corpora whose music was written", len(releases)),
        Row("s a song, words to files", round(statistics.median(seconds), 2)),
    ]
