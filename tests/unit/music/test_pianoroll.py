from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.foreign import Conductor
from rhapsody_lib.music.midi_reader import midi_to_tables, read_conductor
from rhapsody_lib.music.npz import NpzFile
from rhapsody_lib.music.pianoroll import constant_conductor, pianoroll_to_score, pianoroll_to_tables
from rhapsody_lib.music.score import PARTS, Metre, Note, Tempo
from tests.unit.music.rolls import info_json, npz_bytes, roll_arrays, tune, tune_bytes

_GOOD = tune_bytes()


def _refusal(data: bytes) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        pianoroll_to_tables(data, "song.npz")
    return caught.value.code


def _changed(**arrays: np.ndarray) -> bytes:
    return npz_bytes({"tempo": np.full(8 * 96, 96.0), **roll_arrays(tune(), 8 * 96), **arrays})


def test_families_become_parts_and_steps_ticks() -> None:
    score = pianoroll_to_score(tune_bytes(), "song.npz")
    assert score.parts["bass"][:2] == (Note(0, 36, 1800, 90), Note(1920, 36, 1800, 90))
    assert len(score.parts["drums"]) == 32 and score.parts["drums"][1].start_ticks == 480
    assert len(score.parts["piano"]) + len(score.parts["melody"]) == 24 and not score.parts["strings"]
    assert score.programs["strings"] == 48 and score.tempo_bpm == 96
    assert score.key.name == "C major" and score.chords[0].symbol.name() == "C"


def test_the_newer_release_names_its_resolution_otherwise() -> None:
    info = info_json(resolution=12)
    del info["beat_resolution"]
    newer = pianoroll_to_score(tune_bytes(info=info), "song.npz")
    assert newer.parts["drums"][1].start_ticks == 960


def test_a_louder_cell_begins_another_note_a_softer_one_does_not() -> None:
    arrays = roll_arrays({"Guitar": [(0, 60, 10, 50), (4, 60, 4, 90), (20, 60, 5, 70), (25, 62, 5, 70)]}, 48)
    data = npz_bytes({"tempo": np.full(48, 120.0), **arrays})
    notes = sorted(note for part in PARTS for note in pianoroll_to_score(data, "song.npz").parts[part])
    assert [(note.start_ticks // 20, note.duration_ticks // 20) for note in notes] == [(0, 4), (4, 6), (20, 5), (25, 5)]


def test_tiled_tempi_are_put_in_order() -> None:
    beats = np.array([100.0] * 10 + [90.0] * 20 + [110.0] * 2)
    scrambled = pianoroll_to_tables(tune_bytes(tempo=np.tile(beats, 24)), "a").frame.tempi
    assert scrambled == (Tempo(0, 100.0), Tempo(4800, 90.0), Tempo(14400, 110.0))
    assert pianoroll_to_tables(tune_bytes(tempo=np.repeat(beats, 24)), "a").frame.tempi == scrambled


def test_tempi_of_no_order_are_one() -> None:
    mixed = np.random.default_rng(1).permutation(np.linspace(80, 120, 8 * 96))
    assert pianoroll_to_tables(tune_bytes(tempo=mixed), "a").frame.tempi == (Tempo(0, 100.0),)


@pytest.mark.parametrize("tempo", [[np.nan] * 768, [0.0] * 768, [], [1e9] * 5])
def test_tempi_that_cannot_be_are_none(tempo: list[float]) -> None:
    assert pianoroll_to_tables(tune_bytes(tempo=np.array(tempo)), "a").frame.tempo_bpm == 120


def test_a_conductor_is_believed_before_the_file() -> None:
    conductor = Conductor((Tempo(0, 70.0), Tempo(960 + 1920, 80.0)), (Metre(0, 4, 4),), first_metre_ticks=960)
    assert pianoroll_to_tables(tune_bytes(), "a", conductor=conductor).frame.tempi == (
        Tempo(0, 70.0),
        Tempo(1920, 80.0),
    )


def test_without_a_time_signature_the_first_notes_meet() -> None:
    conductor = Conductor(
        (Tempo(0, 70.0), Tempo(2400, 80.0)), (Metre(0, 4, 4),), first_metre_ticks=None, first_note_ticks=480
    )
    assert pianoroll_to_tables(tune_bytes(), "a", conductor=conductor).frame.tempi[1] == Tempo(1920, 80.0)


def test_beats_of_other_metres_are_those_of_its_maker() -> None:
    compound = constant_conductor(60.0, "6/8")
    assert compound is not None
    score = pianoroll_to_score(tune_bytes(), "a", conductor=compound)
    assert score.parts["drums"][1].start_ticks == 720 and score.metres == (Metre(0, 6, 8),)
    late = Conductor((Tempo(0, 60.0),), (Metre(0, 4, 4), Metre(960, 6, 8)), first_metre_ticks=960)
    score = pianoroll_to_score(tune_bytes(), "a", conductor=late)
    assert score.parts["drums"][1].start_ticks == 720 and score.metres == (Metre(0, 6, 8),)
    assert constant_conductor(0.0, "4/4") is None
    unknown = constant_conductor(90.0, "x")
    assert unknown is not None and unknown.metres == (Metre(0, 4, 4),)


@pytest.mark.parametrize(
    "change",
    [
        {"pianoroll_1_csc_indices": np.full(24 * 90, 10**6, np.int32)},
        {"pianoroll_1_csc_indices": np.full(24 * 90, -1, np.int32)},
        {"pianoroll_1_csc_indptr": np.arange(129)[::-1]},
        {"pianoroll_1_csc_indptr": np.arange(100)},
        {"pianoroll_1_csc_shape": np.array([768, 127])},
        {"pianoroll_1_csc_shape": np.array([-5, 128])},
        {"pianoroll_1_csc_shape": np.array([1 << 62, 128])},
        {"pianoroll_1_csc_data": np.full(24 * 90, np.nan)},
        {"pianoroll_1_csc_data": np.zeros((2, 2))},
        {"pianoroll_1_csc_data": np.array(["a"] * 24 * 90)},
        {"pianoroll_1_csc_data": np.array([object()])},
    ],
)
def test_matrices_that_cannot_be_are_refused(change: dict[str, np.ndarray]) -> None:
    assert _refusal(_changed(**change)) == "bad_npz"


def test_a_shape_larger_than_memory_costs_nothing() -> None:
    tables = pianoroll_to_tables(_changed(pianoroll_1_csc_shape=np.array([10**11, 128])), "a")
    assert tables.notes.shape[1] == pianoroll_to_tables(tune_bytes(), "a").notes.shape[1]


@pytest.mark.parametrize("info", [[], {}, info_json(beat_resolution=0), info_json(beat_resolution="24"), "x"])
def test_a_description_that_says_nothing_is_refused(info: object) -> None:
    assert _refusal(tune_bytes(info=info)) == "bad_npz"


def test_a_header_that_promises_more_than_there_is_allocates_nothing() -> None:
    stream, header = io.BytesIO(), io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 1 << 20)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("tempo.npy", header.getvalue())
    with pytest.raises(UnreadableFileError, match="which it has not"):
        NpzFile(stream.getvalue(), "a").array("tempo")


def test_members_that_unpack_too_far_are_refused_unread() -> None:
    assert _refusal(_changed(pianoroll_1_csc_data=np.zeros(2_000_000, np.uint8))) == "too_large"
    assert _refusal(_changed(tempo=np.zeros(20_000_000, np.uint8))) == "too_large"
    assert _refusal(tune_bytes(info=info_json(name="x" * (1 << 20)))) == "too_large"


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_members_that_do_not_unpack_are_refused(method: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("info.json", "abc" * 99)
    data = bytearray(stream.getvalue())
    begin = 48 if method == zipfile.ZIP_LZMA else 39  # behind the header of the member and the properties of LZMA
    data[begin:60] = b"\xff" * (60 - begin)
    assert _refusal(bytes(data)) == "bad_npz"


def test_silence_is_no_song() -> None:
    assert _refusal(npz_bytes(roll_arrays({}, 96))) == "no_notes"


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=30), st.integers(0, 4000))
def test_damaged_files_are_read_or_refused(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(_GOOD)
    for place, value in changes:
        data[place % len(data)] = value
    for damaged in (bytes(data), _GOOD[: length % len(_GOOD)]):
        try:
            pianoroll_to_tables(damaged, "song.npz")
        except UnreadableFileError as error:
            assert error.code in {"bad_npz", "no_notes", "too_large"}


def test_every_bad_file_is_read_or_refused_quickly(datasets: Path) -> None:
    outcomes: dict[str, str] = {}
    for path in sorted((datasets / "bad_inputs" / "npz").iterdir()):
        began = time.thread_time()
        try:
            pianoroll_to_tables(path.read_bytes(), path.name)
            outcomes[path.stem] = "read"
        except UnreadableFileError as error:
            outcomes[path.stem] = error.code
        assert time.thread_time() - began < 5, path.name
    assert set(outcomes.values()) == {"read", "bad_npz"}
    assert outcomes["made_info_resolution_key"] == outcomes["made_no_downbeat"] == outcomes["made_shape_huge"] == "read"
    assert sorted(outcomes.values()).count("bad_npz") == 15


def test_a_roll_is_its_midi_file_on_the_grid(datasets: Path) -> None:
    rolls = sorted((datasets / "mini_lpd" / "lpd_5_cleansed").rglob("*.npz"))
    alike = []
    for roll in rolls[::4]:
        midi = Path(str(roll).replace("lpd_5_cleansed", "lmd_matched")).with_suffix(".mid").read_bytes()
        made = pianoroll_to_tables(roll.read_bytes(), "a", conductor=read_conductor(midi, "b"))
        real = midi_to_tables(midi, "b")
        assert made.frame.tempi[0] == real.frame.tempi[0] and made.frame.metres == real.frame.metres
        mine, theirs = (
            {(round(t / 20), p % 12) for t, p in zip(*x.notes[:2].tolist(), strict=True)} for x in (made, real)
        )
        alike.append(len(mine & theirs) / len(mine | theirs))
    assert np.median(alike) > 0.99
