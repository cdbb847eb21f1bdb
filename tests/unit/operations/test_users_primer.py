"""The user's own file is parsed in a process that can be killed, and comes back as the same music."""

from __future__ import annotations

import io
import os
import sys
from functools import partial
from pathlib import Path

import mido
import pytest

from rhapsody_lib.artifacts import Store
from rhapsody_lib.corpus import sandbox
from rhapsody_lib.corpus.found import Job, track_of
from rhapsody_lib.corpus.parsing import parse_job
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.operations import priming
from rhapsody_lib.release import Release
from rhapsody_lib.settings import SongSettings
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes

HOSTILE = (sys.executable, str(Path(__file__).parents[1] / "corpus" / "hostile_child.py"))


def _foreign_midi() -> bytes:
    messages = [mido.MetaMessage("set_tempo", tempo=654_321), mido.Message("program_change", program=24)]
    for pitch in (60, 64, 67, 65, 62, 59, 60, 72) * 3:
        messages += [mido.Message("note_on", note=pitch, velocity=77, time=13)]
        messages += [mido.Message("note_off", note=pitch, time=200)]
    buffer = io.BytesIO()
    mido.MidiFile(ticks_per_beat=240, tracks=[mido.MidiTrack(messages)]).save(file=buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [_foreign_midi(), midi_bytes(WORDS)], ids=["foreign", "own"])
def test_the_music_is_that_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    (tmp_path / "tune.mid").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    assert priming.read_primer(Path("tune.mid")) == midi_to_score(data, "tune.mid")


def test_a_primer_needs_no_words(tmp_path: Path) -> None:
    (tmp_path / "tune.mid").write_bytes(_foreign_midi())
    song = parse_job(Job("primer", str(tmp_path / "tune.mid"), "tune.mid"))
    assert (song.lyrics, song.track) == ("", track_of(midi_to_score(_foreign_midi(), "tune.mid")))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hang", "was not read within 3 s"),
        ("die", "exit code 7"),
        ("eat", "more memory than a primer may take"),
        ("good", "holds no music"),
    ],
)
def test_a_hostile_file_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    monkeypatch.setattr(sandbox, "Sandbox", partial(sandbox.Sandbox, command=HOSTILE))
    monkeypatch.setattr(priming, "PRIMER_TIMEOUT_S", 3.0)
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(b"")
    with pytest.raises(InputError, match=f"^{name}: .*{reason}.*--primer"):
        priming.read_primer(Path(name))


def test_what_is_no_midi_file_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    with pytest.raises(InputError, match=r"broken\.mid: is not a MIDI file that can be read\. Give"):
        priming.read_primer(tmp_path / "broken.mid")
    with pytest.raises(InputError, match=r"missing\.mid: cannot be read"):
        priming.read_primer(tmp_path / "missing.mid")
    with pytest.raises(InputError, match="is not a file"):
        priming.read_primer(tmp_path)


def test_a_primer_is_parsed_once_as_long_as_it_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    parse = priming.read_primer
    monkeypatch.setattr(priming, "read_primer", lambda path: (read.append(path), parse(path))[1])
    path = tmp_path / "tune.mid"
    path.write_bytes(midi_bytes(WORDS))
    request = SongSettings(prompt="the sky", primer=str(path))
    priming.check_primer(request.primer)
    store, release = Store(str(tmp_path)), Release(1, {}, {}, None, "", "")
    primed = priming.primed_by(store, release, request, (), ("rock",))
    assert (read, primed.name, primed.score and primed.score.title) == ([path], "tune.mid", "tune.mid")
    path.write_bytes(_foreign_midi())
    assert priming.primed_by(store, release, request, (), ("rock",)).score != primed.score
    assert len(read) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mid")
    with pytest.raises(InputError, match="is not a file"):
        priming.read_primer(tmp_path / "pipe.mid")


def test_a_primer_may_take_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "Sandbox", partial(sandbox.Sandbox, command=HOSTILE))
    monkeypatch.chdir(tmp_path)
    for name in ("eat 100 MB", "eat 600 MB"):
        Path(name).write_bytes(b"")
    with pytest.raises(InputError, match=r"^eat 100 MB: holds no music"):
        priming.read_primer(Path("eat 100 MB"))
    with pytest.raises(InputError, match=r"^eat 600 MB: needs more memory than a primer may take"):
        priming.read_primer(Path("eat 600 MB"))
    assert priming.PRIMER_TIMEOUT_S <= 5
