from __future__ import annotations

import json
import logging
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.operations import ahead, generation
from rhapsody_lib.parts import write_parts
from rhapsody_lib.release import RELEASE_KINDS, live_release, publish_release
from rhapsody_lib.retrieval.catalogue import embed_catalogue
from rhapsody_lib.retrieval.search import Closest, Match
from rhapsody_lib.settings import CatalogueSettings
from rhapsody_lib.words.document import Lyrics, LyricSection, parse_lyrics
from tests.unit.retrieval.conftest import SONGS, write_corpus, write_encoder

LYRICS = Lyrics("Sky", (LyricSection("verse 1", ("the sky is blue", "небо")),))
RELEASE: Any = SimpleNamespace(number=7)
DRAFT: Any = SimpleNamespace(best=SimpleNamespace(lyrics=LYRICS))
#: A process in the place of the real one: it says what it was told, and then that with its lines; or fails.
ECHO = (
    "import json, sys; told = json.load(sys.stdin); rows = [told['title'], told['sections'], sys.argv[1:]]; "
    "print(json.dumps(rows)); print(json.dumps([*rows, 'lines']))"
)
ONCE = ECHO.rpartition(";")[0]
FAIL = "import sys; sys.stdin.read(); sys.exit(4)"
SLOW = "import threading; threading.Event().wait(60)"
NONSENSE = "import sys; sys.stdin.read(); print('no JSON')"


def started(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    real = ahead.subprocess.Popen

    def start(command: list[str], **named: Any) -> Any:
        return real([sys.executable, "-c", script, *command[3:]], **named)

    monkeypatch.setattr(ahead.subprocess, "Popen", start)
    monkeypatch.setattr(ahead, "available_processors", lambda: 2)
    monkeypatch.setattr(ahead, "matches_from", lambda rows: rows)
    monkeypatch.setattr(generation, "find_match", lambda *_: "found here")


def test_the_words_are_told_to_the_process_and_its_matches_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, ECHO)
    with ahead.steps_ahead("s3://songs/here", RELEASE) as steps:
        found = steps.find_match("s3://songs/here", RELEASE, DRAFT)
    assert found == ["Sky", [["verse 1", ["the sky is blue", "небо"]]], ["s3://songs/here", "7"]]


@pytest.mark.parametrize("script", [FAIL, NONSENSE])
def test_where_the_process_fails_the_step_is_done_here(
    script: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started(monkeypatch, script)
    with caplog.at_level(logging.DEBUG, ahead.logger.name), ahead.steps_ahead("store", RELEASE) as steps:
        assert steps.find_match("store", RELEASE, DRAFT) == "found here"
    assert "not found ahead" in caplog.text


def test_a_process_that_takes_too_long_is_ended_before_the_step_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, SLOW)
    monkeypatch.setattr(ahead, "_TIMEOUT_S", 0.2)
    process = ahead._start("store", RELEASE)
    assert process is not None
    asked = ahead._Ahead(process)
    assert asked.ask(LYRICS, None) is None
    process.wait(timeout=20)
    asked.end()


@pytest.mark.parametrize(("script", "shown"), [(ECHO, "lines"), (ONCE, "found here")])
def test_the_song_is_written_with_the_closest_lines(
    script: str, shown: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started(monkeypatch, script)
    monkeypatch.setattr(generation, "find_match", lambda *_: ["found here"])
    monkeypatch.setattr(generation, "write_song", lambda *given: given[3])
    with ahead.steps_ahead("s3://songs/here", RELEASE) as steps:
        found = steps.find_match("s3://songs/here", RELEASE, DRAFT)
        given: Any = SimpleNamespace()
        assert steps.write_song(RELEASE, given, DRAFT, ["others"], given, tmp_path) == ["others"]
        assert steps.write_song(RELEASE, given, DRAFT, found, given, tmp_path)[-1] == shown


def test_the_real_process_finds_what_is_found_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_TIMEOUT_S", 120)  # whatever else runs beside the test
    store = Store(str(tmp_path / "store"))
    corpus = write_corpus(tmp_path / "corpus", SONGS)
    encoder = store.build(Recipe("encoder", 1, {}, {}), lambda folder: write_encoder(folder) and None)

    def embed(folder: Path) -> None:
        embed_catalogue(corpus, store.fetch(encoder), folder, CatalogueSettings())
        part = folder / "segments" / "0000"
        shard = store.build(
            Recipe("vectors-shard", 1, {}, {}), lambda to: shutil.copytree(part, to, dirs_exist_ok=True)
        )
        write_parts(folder, [shard])

    catalogue = store.build(Recipe("catalogue", 1, {}, {}), embed)
    refs = {
        kind: store.build(Recipe(kind, 1, {}, {}), lambda folder: (folder / "weights").write_text("x") and None)
        for kind in {*RELEASE_KINDS} - {"encoder", "catalogue"}
    }
    publish_release(store, refs | {"encoder": encoder, "catalogue": catalogue}, {}, reason="test")
    release, lyrics = live_release(store), parse_lyrics(SONGS["rail"])
    process = ahead._start(store.root, release)
    assert process is not None
    asked = ahead._Ahead(process)
    ranked, found = asked.ask(lyrics, None), asked.answer()
    asked.end()
    assert ranked
    assert found
    assert found[0].song_id == "rail"
    assert found == generation.open_matcher(store.root, release)(lyrics, None)
    assert ranked == [replace(match, closest=None) for match in found]


def test_matches_come_back_as_they_were_sent() -> None:
    numbers = {"confidence": 0.5, "similarity": 0.25, "lexical": 0.125, "score": 1.75}
    closest = Closest("verse 1", "chorus", 0.5, "the sky", "небо", 0.75)
    sent = [
        Match(rank=1, song_id="a", title="A", artist=None, track_id="t", **numbers, closest=closest),
        Match(rank=2, song_id="b", title="B", artist="Ann", track_id=None, **numbers, closest=None),
    ]
    assert ahead.matches_from(json.loads(json.dumps([asdict(match) for match in sent]))) == sent


def test_the_process_is_told_places_that_hold_wherever_it_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(ahead.subprocess, "Popen", lambda command, **named: told.append((command, named["env"])))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RHAPSODY_CACHE", "cache")
    ahead._start("~/store", RELEASE)
    ahead._start("store", RELEASE)
    assert [Path(command[3]) for command, _ in told] == [tmp_path / "home" / "store", tmp_path / "store"]
    assert all(Path(env["RHAPSODY_CACHE"]) == tmp_path / "cache" for _, env in told)


def test_the_process_ends_with_the_song_even_where_nobody_asked_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, ECHO)
    begun: list[Any] = []
    start = ahead._start
    monkeypatch.setattr(ahead, "_start", lambda *given: begun.append(start(*given)) or begun[0])
    with pytest.raises(KeyboardInterrupt), ahead.steps_ahead("store", RELEASE):
        raise KeyboardInterrupt
    assert begun[0].returncode is not None


def test_one_processor_is_left_to_the_song(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, ECHO)
    monkeypatch.setattr(ahead, "available_processors", lambda: 1)
    with ahead.steps_ahead("store", RELEASE) as steps:
        assert steps.find_match("store", RELEASE, DRAFT) == "found here"
