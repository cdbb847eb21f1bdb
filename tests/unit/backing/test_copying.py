"""Shared runs of melodies: found in any key, never across songs, and refused beyond what real songs share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from rhapsody_lib.backing.copying import (
    LEAST_LIMIT,
    LONGEST_RUN,
    MOST_LIMIT,
    MelodyGuard,
    MelodyIndex,
    longest_run,
    melody_codes,
    melody_copying,
    melody_onsets,
)
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Tempo

Onsets = list[tuple[int, int]]


def _melody(seed: int, notes: int) -> Onsets:
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.integers(1, 12, size=notes))
    return list(zip(steps.tolist(), random.integers(50, 80, size=notes).tolist(), strict=True))


def _moved(onsets: Onsets, steps: int, semitones: int) -> Onsets:
    return [(step + steps, pitch + semitones) for step, pitch in onsets]


def _score(onsets: Onsets) -> Score:
    parts = dict.fromkeys(PARTS, ()) | {"melody": tuple(Note(step * 40, pitch, 40, 80) for step, pitch in onsets)}
    return Score("", Key(0, "major"), (Tempo(0, 100.0),), (Metre(0, 4, 4),), parts)


def test_a_run_is_found_in_another_key_and_place_and_with_other_lengths() -> None:
    melody, other = _melody(0, 40), _melody(1, 40)
    mixed = [*other[:10], *_moved(melody[5:17], 1000, -3), *_moved(other[10:], 2000, 0)]
    assert longest_run(melody_codes(mixed), melody_codes(melody)) == 12


def test_no_run_goes_from_one_song_into_the_next() -> None:
    first, second = _melody(0, 20), _melody(1, 20)
    index = MelodyIndex.build([first, second], [])
    joined = [*first, *_moved(second, first[-1][0], 0)]
    assert longest_run(melody_codes(joined), index.codes) == 20
    guard = MelodyGuard(index, None)
    assert guard.copied(joined[16:24]) == 0  # four of one song and four of the next
    assert guard.copied(joined[11:20]) == 1


def test_the_limit_is_what_nearly_all_held_out_songs_keep() -> None:
    train = [_melody(seed, 60) for seed in range(3)]
    heldout = [[*_melody(seed + 10, 30), *_moved(train[0][:12], 5000, 0)] for seed in range(20)]
    index = MelodyIndex.build(train, heldout)
    assert set(index.heldout.tolist()) == {12}
    assert index.limit == 12
    guard = MelodyGuard(index, None)
    assert guard.copied(train[1][:12]) == 0
    assert guard.copied(train[1][:13]) == 1
    assert guard.copied(train[1][:15]) == 3
    assert MelodyIndex.build(train, []).limit == LEAST_LIMIT
    assert MelodyIndex.build(train, train).limit == MOST_LIMIT


def test_a_song_is_measured_without_the_bars_it_opens_with_on_purpose() -> None:
    primer, new = _melody(0, 30), _melody(1, 30)
    song = [*primer, *_moved(new, 2000, 0)]
    index = MelodyIndex.build([primer], [])
    whole = melody_copying(_score(song), index, _score(primer))
    assert (whole.longest_run, whole.primer_run, whole.limit, whole.notes) == (30, 30, LEAST_LIMIT, 60)
    rest = melody_copying(_score(song), index, _score(primer), from_ticks=2000 * 40)
    assert max(rest.longest_run, rest.primer_run) < 5
    assert melody_copying(_score(song), index, None).primer_run == 0


def test_the_users_own_primer_is_guarded_too() -> None:
    primer = _melody(5, 30)
    guard = MelodyGuard(MelodyIndex.build([_melody(0, 30)], []), _score(primer))
    assert guard.copied(_moved(primer[3:14], 77, 2)) > 0
    assert guard.copied([]) == 0


def test_of_notes_struck_at_once_the_highest_is_the_melody() -> None:
    assert melody_onsets(_score([(0, 60), (0, 67), (4, 62)])) == [(0, 67), (4, 62)]
    assert len(melody_codes([(0, 60)])) == len(melody_codes([])) == 0


def test_very_long_runs_are_followed_to_a_bound() -> None:
    melody = _melody(0, 200)
    assert longest_run(melody_codes(melody), melody_codes(melody)) == LONGEST_RUN


def test_an_index_is_kept(tmp_path: Path) -> None:
    index = MelodyIndex.build([_melody(0, 30)], [_melody(1, 30)])
    index.save(tmp_path / "melodies")
    read = MelodyIndex.load(tmp_path / "melodies")
    assert read.codes.tolist() == index.codes.tolist()
    assert read.figures() == index.figures()
    with pytest.raises(DamagedArtifactError, match=r"absent: is missing: .*'rhapsody train', then make the song again"):
        MelodyIndex.load(tmp_path / "absent")
    (tmp_path / "cut").write_bytes(b"no tensors")
    with pytest.raises(DamagedArtifactError, match="is no index of melodies"):
        MelodyIndex.load(tmp_path / "cut")
    save_file({"codes": np.zeros(3), "heldout": np.zeros(3)}, tmp_path / "other")
    with pytest.raises(DamagedArtifactError, match="another version"):
        MelodyIndex.load(tmp_path / "other")


_onsets = st.dictionaries(st.integers(0, 300), st.integers(48, 60), max_size=30).map(
    lambda found: sorted(found.items())
)


@given(_onsets, _onsets)
def test_it_is_the_run_that_a_search_finds(a: Onsets, b: Onsets) -> None:
    one, other = melody_codes(a).tolist(), melody_codes(b).tolist()
    longest = max(
        (
            size
            for size in range(1, len(one) + 1)
            for start in range(len(one) - size + 1)
            if any(one[start : start + size] == other[place : place + size] for place in range(len(other)))
        ),
        default=0,
    )
    assert longest_run(melody_codes(a), melody_codes(b)) == (longest + 1 if longest else 0)
