"""Training learns, resumes to the same weights, and says what it cannot use."""

from __future__ import annotations

import itertools
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

import rhapsody_lib
from rhapsody_lib.backing import dataset
from rhapsody_lib.backing.base import base_marks, save_base
from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.copying import MelodyIndex
from rhapsody_lib.backing.dataset import load_data, score_mark, streams, tokens_to_read
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.backing.training import train_backing
from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA, TRACKS_FILE, TRACKS_SCHEMA
from rhapsody_lib.corpus.songbook import read_song, songbook_files
from rhapsody_lib.corpus.songbook_reader import read_songbook_track
from rhapsody_lib.errors import SourceError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.midi import midi_to_score, score_to_midi
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Tempo
from rhapsody_lib.settings import BackingSettings
from tests.killed import checkpoint_of, train_until_killed

SMALL = BackingSettings(embedding_size=16, hidden_size=24, streams=4, steps=32, epoch_tokens=4000, max_epochs=3)


def _write(folder: Path, tracks: list[tuple[str, str, bytes]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    songs = [{"song_id": song_id, "split": split} for song_id, split, _ in tracks]
    rows = [{"track_id": song_id, "song_id": song_id, "midi": midi} for song_id, _, midi in tracks]
    pq.write_table(pa.Table.from_pylist(songs, SONGS_SCHEMA), folder / SONGS_FILE)
    pq.write_table(pa.Table.from_pylist(rows, TRACKS_SCHEMA), folder / TRACKS_FILE)
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = itertools.islice(songbook_files(Path(rhapsody_lib.__file__).parent / "songbook"), 3)
    midi = [score_to_midi(read_songbook_track(read_song(path))) for path in files]
    tracks = [("a", "train", midi[0]), ("b", "heldout", midi[1]), ("c", "train", midi[2]), ("d", "train", b"no MIDI")]
    return _write(tmp_path_factory.mktemp("corpus"), tracks)


def test_streams_give_each_token_its_successor(corpus: Path) -> None:
    data = load_data(corpus)
    assert (len(data.train), len(data.heldout), data.skipped) == (2, 1, 1)
    rows, targets = streams(data.train, 3, np.random.default_rng(0))
    assert rows.shape == (*targets.shape, COLUMNS)
    assert (rows[:, 1:, 0] == targets[:, :-1]).all()
    assert (rows[1:, 0, 0] == targets[:-1, -1]).all()


def test_a_killed_worker_s_training_ends_elsewhere_with_the_same_weights(corpus: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of the second epoch; another worker goes on from the first one's state in the store."""
    store = str(tmp_path / "store")
    whole = train_backing(corpus, tmp_path / "whole", Checkpoint.local(tmp_path / "one"), SMALL, seed=3)
    train_until_killed("backing", corpus, store, tmp_path / "killed", SMALL, seed=3)
    calls: list[float] = []
    heard: list[tuple[int, dict[str, float]]] = []
    resumed = train_backing(
        corpus,
        tmp_path / "resumed",
        checkpoint_of("backing", store, tmp_path / "other"),
        SMALL,
        seed=3,
        progress=lambda done, total, note="": calls.append(done / total),
        record=lambda step, figures: heard.append((step, dict(figures))),
    )
    assert min(calls) > 1 / SMALL.max_epochs
    for name in ("weights.safetensors", "vocabulary.json", "metrics.json"):
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert resumed == whole
    assert whole["history"][-1]["train_nll"] < whole["history"][0]["train_nll"]
    assert [figures["heldout loss"] for _, figures in heard] == [one["heldout_nll"] for one in whole["history"]]


def test_a_state_of_another_training_is_not_gone_on_from(corpus: Path, tmp_path: Path) -> None:
    short, checkpoint = SMALL.model_copy(update={"max_epochs": 1}), Checkpoint.local(tmp_path / "state")
    train_backing(corpus, tmp_path / "out", checkpoint, short, seed=1)
    first = load_file(tmp_path / "out" / "weights.safetensors")
    train_backing(corpus, tmp_path / "other", checkpoint, short, seed=2)
    other = load_file(tmp_path / "other" / "weights.safetensors")
    assert any((value != first[name]).any() for name, value in other.items())
    train_backing(corpus, tmp_path / "again", checkpoint, short, seed=1)
    for name, value in load_file(tmp_path / "again" / "weights.safetensors").items():
        assert (value == first[name]).all()


def test_a_run_keeps_to_the_arithmetic_it_began_with(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class KilledError(Exception):
        """Stands for the end of a worker."""

    def die(step: int, figures: object) -> None:
        raise KilledError

    short = SMALL.model_copy(update={"max_epochs": 2, "epoch_tokens": 1000})
    monkeypatch.setattr("rhapsody_lib.backing.checkpoint.has_fast_bfloat16", lambda: True)
    train_backing(corpus, tmp_path / "whole", Checkpoint.local(tmp_path / "one"), short, seed=3)
    checkpoint = Checkpoint.local(tmp_path / "two")
    with pytest.raises(KilledError):
        train_backing(corpus, tmp_path / "resumed", checkpoint, short, seed=3, record=die)
    monkeypatch.setattr("rhapsody_lib.backing.checkpoint.has_fast_bfloat16", lambda: False)
    with caplog.at_level(logging.INFO):
        train_backing(corpus, tmp_path / "resumed", checkpoint, short, seed=3)
    assert "backing: going on after epoch 1" in caplog.text
    assert "goes on in bfloat16, as it began" in caplog.text
    weights = "weights.safetensors"
    assert (tmp_path / "resumed" / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()
    train_backing(corpus, tmp_path / "plain", Checkpoint.local(tmp_path / "three"), short, seed=3)
    assert (tmp_path / "plain" / weights).read_bytes() != (tmp_path / "whole" / weights).read_bytes()


def test_numpy_model_computes_what_torch_does(corpus: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from rhapsody_lib.backing.network import build_network, forward

    settings = SMALL.model_copy(update={"layers": 2})
    data = load_data(corpus)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(len(data.vocabulary), settings)
    rows = data.train[0].rows[:40].astype(np.int64)
    with torch.no_grad():
        expected = forward(network, torch.from_numpy(rows[:, None]))[0][:, 0].numpy()
    model = BackingModel(data.vocabulary, {name: value.numpy() for name, value in network.state_dict().items()})
    state = model.start(1)
    for step, row in enumerate(rows):
        embedded = model.embed(row[None])
        state = model.advance(embedded, state)
        assert np.allclose(model.logits(embedded, state)[0], expected[step], atol=1e-5)


def test_corpus_without_usable_tracks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Prepare a corpus"):
        load_data(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="1 skipped"):
        load_data(_write(tmp_path / "bad", [("a", "train", b"no MIDI")]))


def test_a_training_starts_from_a_base_model(corpus: Path, tmp_path: Path) -> None:
    once = SMALL.model_copy(update={"max_epochs": 1})
    fresh = train_backing(corpus, tmp_path / "fresh", Checkpoint.local(tmp_path / "one"), once, seed=1)
    data, base = load_data(corpus), tmp_path / "base"
    melodies = MelodyIndex.build([[(0, 60), (4, 62), (9, 61)]], [])
    save_base(base, data.vocabulary, load_file(tmp_path / "fresh" / "weights.safetensors"), ["a mark"], melodies)
    from_base = once.model_copy(update={"base": str(base), "hidden_size": 999})
    found = train_backing(corpus, tmp_path / "more", Checkpoint.local(tmp_path / "two"), from_base, seed=2)
    assert found["history"][0]["train_nll"] < fresh["history"][0]["train_nll"]
    assert found["heldout_known_to_base"] == 0
    # What the base has read is known of the model: it neither copies it nor is measured on it.
    learnt = MelodyIndex.load(tmp_path / "more" / "melodies.safetensors")
    assert learnt.codes.tolist() == [*data.melodies.codes.tolist(), *melodies.codes.tolist()]
    assert learnt.heldout.tolist() == data.melodies.heldout.tolist()
    assert base_marks(tmp_path / "more") == {"a mark"}
    assert base_marks(tmp_path / "fresh") == frozenset()
    assert load_file(tmp_path / "more" / "weights.safetensors")["gru.weight_hh_l0"].shape == (72, 24)


def test_held_out_songs_that_the_base_has_read_are_not_measured(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    once = SMALL.model_copy(update={"max_epochs": 1, "epoch_tokens": 1000})
    train_backing(corpus, tmp_path / "fresh", Checkpoint.local(tmp_path / "one"), once, seed=1)
    data, base = load_data(corpus), tmp_path / "base"
    weights = load_file(tmp_path / "fresh" / "weights.safetensors")
    save_base(base, data.vocabulary, weights, {song.mark for song in data.heldout}, data.melodies)
    from_base = once.model_copy(update={"base": str(base)})
    found = train_backing(corpus, tmp_path / "more", Checkpoint.local(tmp_path / "two"), from_base, seed=2)
    assert found["heldout_known_to_base"] == 1
    assert "flattered" in caplog.text


def test_a_song_is_known_again_where_its_repeats_were_left_out(tmp_path: Path) -> None:
    """A base has read songs without their repeats; held out, the same songs are whole."""
    verse = [Note(beat * 480, 60 + beat % 5, 480, 80) for beat in range(16)]
    melody = (*verse, *(replace(note, start_ticks=note.start_ticks + 16 * 480) for note in verse))
    sections = tuple(Section("verse", begin * 1920, (begin + 4) * 1920) for begin in (0, 4))
    parts = dict.fromkeys(PARTS, ()) | {"melody": melody}
    score = Score("", Key(0, "major"), (Tempo(0, 100.0),), (Metre(0, 4, 4),), parts, (), sections)
    midi = score_to_midi(score)
    data = load_data(_write(tmp_path, [("a", "train", midi), ("b", "heldout", midi)]))
    (read,), (heldout,) = data.train, data.heldout
    assert len(read.ids) < len(heldout.ids)
    assert read.mark == heldout.mark == score_mark(midi_to_score(midi, "a"))


def test_without_songs_to_measure_on_training_songs_are_and_it_is_said(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_data(corpus).measured_on == "held-out songs"
    assert not caplog.records
    monkeypatch.setattr("rhapsody_lib.backing.dataset.MOST_TOKENS", 10)  # as long as no song is
    data = load_data(corpus)
    assert (data.measured_on, len(data.train), data.heldout) == ("training songs", 2, data.train[:1])
    assert "No song with music that could be measured on is held out" in caplog.text
    once = SMALL.model_copy(update={"max_epochs": 1, "epoch_tokens": 1000})
    found = train_backing(corpus, tmp_path / "out", Checkpoint.local(tmp_path / "state"), once, seed=1)
    assert found["measured_on"] == "training songs"


def test_what_no_training_song_has_adds_nothing(corpus: Path, tmp_path: Path) -> None:
    midi = []
    for name, score in (("a", 3), ("b", 4)):
        file = next(itertools.islice(songbook_files(Path(rhapsody_lib.__file__).parent / "songbook"), score, None))
        plain = replace(read_songbook_track(read_song(file)), sections=(), syllables=())
        midi.append((name, "train", score_to_midi(plain)))
    plain_corpus = _write(tmp_path / "plain", [*midi, ("c", "heldout", midi[0][2])])
    short = SMALL.model_copy(update={"max_epochs": 1})
    for name, folder, knows in (("full", corpus, True), ("plain", plain_corpus, False)):
        train_backing(folder, tmp_path / name / "model", Checkpoint.local(tmp_path / f"{name} state"), short, seed=0)
        model = BackingModel.load(tmp_path / name / "model")
        assert (model.knows("section"), model.knows("line"), model.knows("position")) == (knows, knows, True)


def test_of_more_music_than_is_read_the_lowest_digests_are_and_memory_is_bounded(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    midi = {row["song_id"]: row["midi"] for row in pq.read_table(corpus / TRACKS_FILE).to_pylist()}
    tracks = [(f"song {n}", "heldout" if n % 4 == 3 else "train", midi["ac"[n % 2]]) for n in range(24)]
    many = _write(tmp_path / "many", tracks)
    whole = load_data(many)
    assert (len(whole.train), len(whole.heldout), whole.train_songs_in_corpus) == (18, 6, 18)
    each, parsed = {len(song.ids) for song in whole.train}, list[str]()
    read = dataset.midi_to_score
    monkeypatch.setattr(dataset, "midi_to_score", lambda data, name: (parsed.append(name), read(data, name))[1])
    monkeypatch.setattr(dataset, "MOST_HELDOUT_TOKENS", 2 * len(whole.heldout[0].ids))
    data = load_data(many, 4 * max(each))
    lowest = sorted((name for name, split, _ in tracks if split == "train"), key=dataset._lot)
    # As few as have so many tokens, in the order of the corpus.
    sizes = {name: len(song.ids) for (name, split, _), song in zip(_of("train", tracks), whole.train, strict=True)}
    count = next(n for n in range(19) if sum(sizes[name] for name in lowest[:n]) >= 4 * max(each))
    taken = [name for name, _, _ in _of("train", tracks) if name in lowest[:count]]
    assert [len(song.ids) for song in data.train] == [sizes[name] for name in taken]
    assert len(data.train) < 9
    assert 2 <= len(data.heldout) <= 3
    assert data.train_songs_in_corpus == 18
    assert len(data.melodies.codes) < len(whole.melodies.codes)
    assert len(parsed) < 24  # what is known to be left out is not even parsed
    backwards = load_data(_write(tmp_path / "backwards", tracks[::-1]), 4 * max(each))
    assert [song.mark for song in backwards.train[::-1]] == [song.mark for song in data.train]


def _of(split: str, tracks: list[tuple[str, str, bytes]]) -> list[tuple[str, str, bytes]]:
    return [track for track in tracks if track[1] == split]


def test_a_longer_training_reads_more_songs_and_says_of_how_many(corpus: Path, tmp_path: Path) -> None:
    assert tokens_to_read(SMALL) == dataset.LEAST_TRAIN_TOKENS
    assert tokens_to_read(SMALL.model_copy(update={"epoch_tokens": 10_000_000})) == 30_000_000
    once = SMALL.model_copy(update={"max_epochs": 1, "epoch_tokens": 1000})
    found = train_backing(corpus, tmp_path / "out", Checkpoint.local(tmp_path / "state"), once, seed=1)
    assert (found["train_songs"], found["skipped_tracks"], found["train_songs_in_corpus"]) == (2, 1, 3)
