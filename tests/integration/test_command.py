"""The `rhapsody` command as a songwriter and an operator use it, over real models of tiny size."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rhapsody_lib.artifacts import Store
from rhapsody_lib.operations import ahead, generation
from rhapsody_lib.release import live_release, publish_release, release_numbers
from rhapsody_lib.words.document import parse_lyrics

TEXT_FILES = ("lyrics.txt", "song.mid", "song.kar", "leadsheet.musicxml", "song.json")


def song(rhapsody, trained, out: Path, prompt: str, *options: str) -> tuple[int, dict, str]:
    code, stdout, stderr = rhapsody(
        "song", prompt, "--store", trained.store, "--out", str(out), "--no-audio", "--json", *options
    )
    return code, json.loads(stdout) if code == 0 else {}, stderr


def test_a_prompt_becomes_a_song(rhapsody, trained, tmp_path):
    code, result, _ = song(rhapsody, trained, tmp_path / "out", "the sky is blue")
    assert code == 0
    lines = [line for line in result["lyrics"].splitlines() if line and not line.startswith("[")]
    assert lines[0].lower().startswith("the sky is blue")
    assert 4 <= len(lines) <= 24
    sure = result["matches"][0]["confidence"]
    assert sure is None or 0 <= sure <= 1  # none where fewer than 20 songs could be halved
    assert {"lyrics.txt", "song.mid", "song.kar", "backing.mid", "pianoroll.png", "index.html", "song.json"} <= set(
        result["files"]
    )
    for path in result["files"].values():
        assert Path(path).stat().st_size > 100


def test_a_song_of_a_form_with_its_score(rhapsody, trained, tmp_path):
    form = ("--form", "verse chorus bridge chorus", "--lines-per-section", "3", "--syllables-per-line", "7")
    out = tmp_path / "out"
    code, stdout, stderr = rhapsody(
        "song", "the sky is blue", "--store", trained.store, "--out", str(out), "--no-audio", "--show-score", *form
    )
    assert code == 0, stderr
    told = json.loads((out / "song.json").read_text(encoding="utf-8"))
    assert told["form"] == ["verse 1", "chorus", "bridge", "chorus"]
    assert told["scores"]["total"] == pytest.approx(
        sum(weight * told["scores"]["parts"][name] for name, weight in told["scores"]["weights"].items()), abs=1e-3
    )
    assert len(told["scores"]["alternatives"]) == 15
    assert told["copying"]["copied_runs"] == 0
    assert told["copying"]["longest_run"] in (4, 5)
    assert "weakest line" in stdout
    assert f"{told['scores']['total']:.2f}" in stdout


def test_every_line_is_in_the_midi_and_every_syllable_has_a_note(rhapsody, trained, tmp_path):
    import pretty_midi

    _, result, _ = song(rhapsody, trained, tmp_path / "out", "a letter from the edge of town", "--seed", "3")
    midi = pretty_midi.PrettyMIDI(result["files"]["song.mid"])
    melody = next(instrument for instrument in midi.instruments if instrument.name == "melody")
    onsets = [note.start for note in melody.notes]
    assert midi.lyrics
    for event in midi.lyrics:
        assert min(abs(onset - event.time) for onset in onsets) < 1e-3
    sung = "".join(event.text for event in midi.lyrics).replace("\r", " ").replace("\n", " ").split()
    written = [w for line in result["lyrics"].splitlines() if not line.startswith("[") for w in line.split()]
    assert "".join(sung) == "".join(written)
    assert {i.name for i in midi.instruments} == {"melody", "drums", "piano", "guitar", "bass", "strings"}


def test_the_same_prompt_seed_and_release_are_the_same_bytes(rhapsody, trained, tmp_path):
    for name in ("one", "two"):
        assert song(rhapsody, trained, tmp_path / name, "coffee in the rain", "--seed", "7")[0] == 0
    assert song(rhapsody, trained, tmp_path / "other", "coffee in the rain", "--seed", "8")[0] == 0
    for name in TEXT_FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (tmp_path / "one" / "song.mid").read_bytes() != (tmp_path / "other" / "song.mid").read_bytes()


def test_options_are_obeyed(rhapsody, trained, tmp_path):
    code, result, _ = song(
        rhapsody, trained, tmp_path / "out", "one", "--title", "My Song", "--key", "A minor", "--tempo-bpm", "93",
        "--max-lines", "8", "--without-primer",
    )  # fmt: skip
    assert code == 0
    assert result["title"] == "My Song"
    lines = [line for line in result["lyrics"].splitlines() if line and not line.startswith("[")]
    assert len(lines) <= 8
    info = json.loads(Path(result["files"]["song.json"]).read_text())
    assert (info["music"]["key"], round(info["music"]["tempo_bpm"])) == ("A minor", 93)


def test_a_users_primer_and_what_cannot_be_one(rhapsody, trained, tmp_path):
    _, first, _ = song(rhapsody, trained, tmp_path / "first", "one", "--tempo-bpm", "77")
    primer = first["files"]["song.mid"]
    code, second, _ = song(rhapsody, trained, tmp_path / "second", "two", "--primer", primer)
    assert code == 0
    assert round(json.loads(Path(second["files"]["song.json"]).read_text())["music"]["tempo_bpm"]) == 77
    broken = tmp_path / "broken.mid"
    broken.write_bytes(b"MThd")
    for path in (broken, tmp_path / "missing.mid"):
        code, _, stderr = song(rhapsody, trained, tmp_path / "third", "two", "--primer", str(path))
        assert (code, path.name in stderr) == (2, True)
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize(
    "prompt",
    [
        "\N{SPARKLES} la \N{GUITAR}",
        "синее небо над рекой",
        "青い空",
        "\x07bell\x00\x1b[31m",
        "qxzzv",
        "<b>&\"'</script>",
    ],
)
def test_any_prompt_is_a_song(rhapsody, trained, tmp_path, prompt):
    code, result, stderr = song(rhapsody, trained, tmp_path / "out", prompt)
    assert code == 0, stderr
    first = next(line for line in result["lyrics"].splitlines() if line and not line.startswith("["))
    expected = "".join(letter for letter in prompt if letter.isprintable())
    assert first.lower().startswith(expected.lower()[:20].strip().lower())


@pytest.mark.parametrize("prompt", ["", "   \n\t", "\x00\x07"])
def test_an_empty_prompt_is_one_error_before_any_work(rhapsody, tmp_path, prompt):
    code, _, stderr = rhapsody("song", prompt, "--store", str(tmp_path / "store"))
    assert (code, stderr.count("\n")) == (2, 1)
    assert "prompt holds no words" in stderr
    assert not (tmp_path / "store").exists()


def test_ten_thousand_words_are_a_song_or_one_error(rhapsody, trained, tmp_path):
    code, _, stderr = song(rhapsody, trained, tmp_path / "out", "word " * 10_000)
    assert code in (0, 2)
    assert "Traceback" not in stderr
    if code == 2:
        assert "words" in stderr


def test_a_repeated_training_does_nothing_and_says_so(rhapsody, trained):
    before = release_numbers(Store(trained.store))
    code, stdout, _ = rhapsody("train", trained.source, "--profile", trained.profile, "--store", trained.store)
    assert code == 0
    assert "Nothing to do" in stdout
    assert release_numbers(Store(trained.store)) == before


def test_a_changed_setting_rebuilds_that_stage_and_what_depends_on_it(rhapsody, trained, tmp_path):
    store = str(tmp_path / "store")
    shutil.copytree(trained.store, store)
    old = live_release(Store(store)).refs
    change = ("--set", "catalogue.lexical_weight=0.25")
    code, _, stderr = rhapsody("train", trained.source, "--profile", trained.profile, "--store", store, *change)
    assert code == 0, stderr
    new = live_release(Store(store)).refs
    assert {kind for kind in old if old[kind].key != new[kind].key} == {"catalogue"}


def test_releases_are_listed_shown_and_rolled_back(rhapsody, trained, tmp_path):
    store = str(tmp_path / "store")
    shutil.copytree(trained.store, store)
    assert rhapsody("releases", "rollback", "--store", store)[0] == 2
    code, _, stderr = rhapsody("releases", "rollback", "1", "--force", "--store", store)
    assert (code, "Release 1 is live already" in stderr) == (2, True)
    publish_release(Store(store), live_release(Store(store)).refs, {}, reason="second")
    code, stdout, _ = rhapsody("releases", "rollback", "1", "--store", store, "--json")
    assert (code, json.loads(stdout)["number"], json.loads(stdout)["reason"]) == (0, 3, "rollback to 1")
    listed = json.loads(rhapsody("releases", "list", "--store", store, "--json")[1])
    assert [release["number"] for release in listed] == [1, 2, 3]
    shown = json.loads(rhapsody("releases", "show", "1", "--store", store, "--json")[1])
    assert shown["figures"]["lyrics.heldout_perplexity"] > 1
    assert rhapsody("releases", "show", "9", "--store", store)[0] == 2


def test_songs_of_a_source_use_its_release(rhapsody, trained, tmp_path):
    options = ("--source", trained.source, "--profile", trained.profile)
    code, result, stderr = song(rhapsody, trained, tmp_path / "out", "one", *options)
    assert (code, result["release"]) == (0, 1)
    assert "Training" not in stderr


@pytest.mark.parametrize("kind", ["missing", "empty", "useless"])
def test_a_source_of_nothing_is_one_error(rhapsody, tmp_path, kind):
    source = tmp_path / "source"
    if kind != "missing":
        source.mkdir()
    if kind == "useless":
        (source / "broken.mid").write_bytes(b"MThd")
    for command in ("prepare", "train"):
        code, _, stderr = rhapsody(command, str(source), "--store", str(tmp_path / "store"))
        assert code == 2
        assert "source" in stderr
        assert "Traceback" not in stderr
    assert list(Store(str(tmp_path / "store")).artifacts()) == []


def test_prepare_counts_every_reject_by_reason(rhapsody, trained, tmp_path):
    source = tmp_path / "songs"
    shutil.copytree(trained.source, source)
    (source / "broken.txt").write_text("title: x\n")
    first = sorted(source.glob("*.txt"))[0]
    shutil.copy(first, source / "zz-copy.txt")
    code, stdout, _ = rhapsody("prepare", str(source), "--store", str(tmp_path / "store"), "--json")
    summary = json.loads(stdout)
    assert code == 0
    assert summary["songs"] == 20
    assert sum(summary["rejects"].values()) == 2
    assert summary["rejects"]["bad_songbook"] == 1


def test_a_damaged_model_is_noticed_and_built_again(rhapsody, trained, tmp_path):
    store = str(tmp_path / "store")
    shutil.copytree(trained.store, store)
    opened = Store(store)
    weights = max(opened.fetch(live_release(opened).refs["backing"]).iterdir(), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-7])
    code, _, stderr = rhapsody("song", "one", "--store", store, "--out", str(tmp_path / "out"), "--no-audio")
    assert code == 4
    assert weights.name in stderr
    assert "rhapsody train" in stderr
    assert not (tmp_path / "out").exists()
    code, stdout, stderr = rhapsody("train", trained.source, "--profile", trained.profile, "--store", store)
    assert (code, stdout) == (0, "Built again: backing. Release 1 is these very models already.\n"), stderr
    assert rhapsody("song", "one", "--store", store, "--out", str(tmp_path / "out"), "--no-audio")[0] == 0


def training(trained, store: str, *changes: str) -> subprocess.Popen[str]:
    """`rhapsody train` in a process of its own."""
    command = [sys.executable, "-m", "flows.cli", "train", trained.source, "--profile", trained.profile]
    settings = [word for change in changes for word in ("--set", change)]
    return subprocess.Popen([*command, "--store", store, *settings], stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], folder: Path, pattern: str) -> None:
    """Return when a path of that pattern is there; fail if the process ends first or nothing comes for two minutes."""
    deadline = time.monotonic() + 120
    while not any(folder.glob(pattern)):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        os.sched_yield()


def test_ctrl_c_in_training_is_one_message_and_the_next_run_goes_on(trained, tmp_path):
    store = str(tmp_path / "store")
    process = training(trained, store, "lyrics.max_epochs=400", "lyrics.patience=400")
    wait_for(process, tmp_path / "store" / "checkpoints", "lyrics-*/*")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    opened = Store(store)
    assert process.returncode == 130
    assert "Interrupted" in stderr
    assert "Traceback" not in stderr
    kinds = {ref.kind for ref in opened.artifacts()}
    assert kinds >= {"corpus", "card", "encoder", "catalogue"}
    assert not kinds & {"lyrics", "backing"}
    assert release_numbers(opened) == []
    process = training(trained, store)
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    assert "corpus: unchanged" in stderr
    assert release_numbers(opened) == [1]


def test_killed_in_every_stage_the_next_run_goes_on(trained, tmp_path):
    store, work = str(tmp_path / "store"), tmp_path / "store" / "work"
    finished: set[str] = set()
    for kind in ("corpus", "encoder", "catalogue", "lyrics", "backing"):
        process = training(trained, store)
        wait_for(process, work / "building", f"{kind}-*")
        process.kill()
        process.communicate(timeout=60)
        opened = Store(store)
        found = {ref.kind for ref in opened.artifacts()}
        assert finished <= found
        for ref in opened.artifacts():
            assert opened.fetch(ref).is_dir()
        assert release_numbers(opened) == []
        finished = found
        for leftover in (work / "building").glob(f"{kind}-*"):
            leftover.rename(leftover.with_name(f"dead-{leftover.name}"))
    process = training(trained, store)
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    assert release_numbers(Store(store)) == [1]
    assert not list((work / "building").iterdir())


def test_doctor_tells_what_is_missing_and_where_things_are(rhapsody, trained, monkeypatch):
    from rhapsody_lib.operations import health

    real = health._version
    monkeypatch.setattr(health, "_version", lambda name: None if name == "pyworld" else real(name))
    code, stdout, _ = rhapsody("doctor", "--store", trained.store, "--json")
    report = json.loads(stdout)
    assert code == 0
    assert "pip install 'rhapsody[vocal]'" in {extra["remedy"] for extra in report["extras"]}
    assert report["facts"]["store"] == trained.store
    assert report["facts"]["release"].startswith("1 ")
    monkeypatch.setattr(health, "_version", lambda name: None if name == "onnxruntime" else real(name))
    code, stdout, _ = rhapsody("doctor", "--store", trained.store, "--json")
    assert (code, json.loads(stdout)["missing_extras"]) == (3, ["retrieval"])


def test_a_store_that_cannot_be_used_is_one_error(rhapsody, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "store.json").write_text('{"store_version": 99}')
    for name, said in (("file", "cannot be written"), ("newer", "newer Rhapsody")):
        code, _, stderr = rhapsody("song", "one", "--store", str(tmp_path / name))
        assert code == 4
        assert said in stderr


def test_the_match_is_found_by_another_process_as_by_this_one(trained):
    release, lyrics = live_release(Store(trained.store)), parse_lyrics("the sky is blue\nabove the little town\n")
    process = ahead._start(trained.store, release)
    assert process is not None
    asked = ahead._Ahead(process)
    ranked, found = asked.ask(lyrics, None), asked.answer()
    asked.end()
    assert ranked
    assert found == generation.open_matcher(trained.store, release)(lyrics, None)
    assert [match.song_id for match in ranked] == [match.song_id for match in found]
