from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.music.midi_meta import LYRIC, TEXT, TRACK_NAME, decode, text_events

HEADER = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0"


def chunk(body: bytes) -> bytes:
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def test_text_between_notes_and_running_status() -> None:
    body = (
        b"\x00\xff\x03\x01A" + b"\x00\x90\x3c\x40" + b"\x60\x3c\x00" + b"\x81\x00\xff\x05\x02la" + b"\x00\xff\x01\x01/"
    )
    events = text_events(HEADER + chunk(body))
    assert [(e.ticks, e.kind, e.data) for e in events] == [
        (0, TRACK_NAME, b"A"),
        (224, LYRIC, b"la"),
        (224, TEXT, b"/"),
    ]


def test_a_malformed_track_keeps_what_was_found_and_the_next() -> None:
    broken = chunk(b"\x00\xff\x05\x02la" + b"\x00\xf4")
    events = text_events(HEADER + broken + chunk(b"\x00\xff\x05\x02lo"))
    assert [(e.track, e.data) for e in events] == [(0, b"la"), (1, b"lo")]


@given(st.binary(max_size=300))
def test_never_raises(data: bytes) -> None:
    text_events(data)
    text_events(HEADER + chunk(data))


@given(st.lists(st.binary(max_size=6), max_size=5))
def test_decoding_never_raises_and_keeps_count(chunks: list[bytes]) -> None:
    assert len(decode(chunks)) == len(chunks)
