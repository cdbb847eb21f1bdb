from __future__ import annotations

import io
from dataclasses import replace

import pytest

from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.song.palette import PART_COLOURS
from rhapsody_lib.song.pianoroll import HEIGHT_PX, WIDTH_PX, draw_pianoroll
from rhapsody_lib.words.document import Lyrics, LyricSection
from tests.unit.song.song_samples import sample_lyrics, sample_score

image_module = pytest.importorskip("PIL.Image")


def colours(png: bytes) -> dict[tuple[int, int, int], int]:
    image = image_module.open(io.BytesIO(png)).convert("RGB")
    assert image.size == (WIDTH_PX, HEIGHT_PX)
    return {colour: count for count, colour in image.getcolors(1 << 24)}


def rgb(name: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(PART_COLOURS[name][1:]))


def test_melody_bass_and_drums_are_seen_in_their_colours() -> None:
    seen = colours(draw_pianoroll(fit_words(sample_lyrics(), sample_score())))
    assert all(seen.get(rgb(part), 0) > 500 for part in ("melody", "bass", "drums"))


def test_a_part_without_notes_is_not_drawn() -> None:
    score = sample_score()
    seen = colours(draw_pianoroll(replace(score, parts={**score.parts, "bass": ()})))
    assert rgb("bass") not in seen


def test_same_song_same_bytes_without_a_date() -> None:
    score = fit_words(sample_lyrics(), sample_score())
    png = draw_pianoroll(score)
    assert png == draw_pianoroll(score)
    assert b"tEXt" not in png
    assert b"tIME" not in png


def test_other_alphabets_markup_and_long_songs_are_drawn_without_warnings() -> None:
    lines = tuple(["青い空 $x^2$ 😀 \\frac"] * 80)
    lyrics = Lyrics("$\\bad{ 青 😀 " * 20, (LyricSection("verse 1", lines),))
    score = fit_words(lyrics, sample_score((("verse 1", 80),)))
    assert colours(draw_pianoroll(score))[rgb("melody")] > 500
