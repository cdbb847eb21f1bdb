from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus.child_process import MAX_FRAME_BYTES, read_frame, write_frame
from rhapsody_lib.corpus.found import Job, ParsedSong, Track
from rhapsody_lib.corpus.sandbox import Sandbox
from rhapsody_lib.errors import MissingExtraError, RhapsodyError, UnreadableFileError
from rhapsody_lib.settings import CorpusSettings

HOSTILE = (sys.executable, str(Path(__file__).with_name("hostile_child.py")))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(timeout_s=3.0, memory_mb=1000, command=HOSTILE) as opened:
        yield opened


def _job(name: str) -> Job:
    return Job("midi", f"/nowhere/{name}", name)


@pytest.mark.parametrize(
    ("name", "code"),
    [("hang", "timeout"), ("die", "crashed"), ("eat", "too_large"), ("recurse", "crashed"), ("refuse", "bad_midi")],
)
def test_a_hostile_file_costs_itself_only(sandbox: Sandbox, name: str, code: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        sandbox.parse(_job(name))
    assert caught.value.code == code
    assert name in str(caught.value)
    assert sandbox.parse(_job("good")).title == "good"


def test_the_limit_is_on_memory_that_a_file_takes() -> None:
    limits = CorpusSettings()
    with Sandbox(timeout_s=60, memory_mb=limits.file_memory_mb, command=HOSTILE) as opened:
        assert opened.parse(_job("eat 60")).title == "eat 60"
        with pytest.raises(UnreadableFileError, match="file_memory_mb"):
            opened.parse(_job(f"eat {limits.file_memory_mb}"))


def test_the_process_writes_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="File too large"):
        sandbox.parse(Job("midi", str(tmp_path / "left"), "write"))
    assert (tmp_path / "left").read_bytes() == b""


def test_the_process_lives_on_between_good_files_and_prints_break_nothing(sandbox: Sandbox) -> None:
    first = sandbox.parse(_job("one")).artist
    assert sandbox.parse(_job("print")).artist == first


def test_the_process_loads_no_framework(sandbox: Sandbox) -> None:
    assert sandbox.parse(_job("good")).lyrics == ""


def test_a_missing_package_is_told_as_such(sandbox: Sandbox) -> None:
    with pytest.raises(MissingExtraError, match="install it"):
        sandbox.parse(_job("missing"))


def test_closing_ends_the_process() -> None:
    with Sandbox(timeout_s=10, memory_mb=1000, command=HOSTILE) as opened:
        process = psutil.Process(int(opened.parse(_job("good")).artist))
    assert not process.is_running()


def test_a_process_that_cannot_start_is_one_clear_error() -> None:
    with (
        Sandbox(timeout_s=10, memory_mb=1000, command=(sys.executable, "-c", "raise SystemExit(3)")) as opened,
        pytest.raises(RhapsodyError, match="could not start"),
    ):
        opened.parse(_job("good"))


@given(
    st.builds(
        ParsedSong,
        title=st.text(),
        artist=st.text(),
        year=st.integers(0, 3000),
        genres=st.lists(st.text()).map(tuple),
        licence=st.text(),
        language=st.text(),
        lyrics=st.text(),
        track=st.none()
        | st.builds(
            Track,
            midi=st.binary(),
            seconds=st.floats(0, 1e4),
            tempo_bpm=st.floats(1, 400),
            key=st.text(),
            time_signature=st.text(),
            programs=st.lists(st.integers(0, 127)).map(tuple),
            notes=st.integers(0, 10**6),
        ),
    )
)
def test_songs_travel_unchanged(song: ParsedSong) -> None:
    stream = io.BytesIO()
    write_frame(stream, song.message())
    stream.seek(0)
    message = read_frame(stream)
    assert message is not None
    assert ParsedSong.from_message(message) == song


@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    assert isinstance(read_frame(io.BytesIO(data)), dict | None)


def test_a_frame_that_claims_too_much_is_refused_unread() -> None:
    assert read_frame(io.BytesIO((MAX_FRAME_BYTES + 1).to_bytes(4, "big"))) is None
