from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from rhapsody_lib.operations import ahead, generation
from rhapsody_lib.words.document import Lyrics, LyricSection

LYRICS = Lyrics("Sky", (LyricSection("verse 1", ("the sky is blue", "небо")),))
RELEASE: Any = SimpleNamespace(number=7)
DRAFT: Any = SimpleNamespace(best=SimpleNamespace(lyrics=LYRICS))
#: A process in the place of the real one: it says what it was told, or fails.
ECHO = (
    "import json, sys; told = json.load(sys.stdin); print(json.dumps([told['title'], told['sections'], sys.argv[1:]]))"
)
FAIL = "import sys; sys.stdin.read(); sys.exit(4)"
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
def test_where_the_process_fails_the_step_is_done_here(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, script)
    with ahead.steps_ahead("store", RELEASE) as steps:
        assert steps.find_match("store", RELEASE, DRAFT) == "found here"


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
