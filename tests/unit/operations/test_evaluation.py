"""Before a release: what is worse is refused, what is damaged is told, and a song is really made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.backing.base import BASE_READ_FILE, save_marks
from rhapsody_lib.backing.dataset import score_mark
from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.errors import DamagedArtifactError, InputError, RefusedError
from rhapsody_lib.lyrics.copying import BASE_COPIES_FILE, COPY_WORDS
from rhapsody_lib.lyrics.overlap import words_of
from rhapsody_lib.lyrics.runs import RunFilter, run_hashes, word_hashes
from rhapsody_lib.operations.evaluation import check_gate, evaluate_models, evaluation_recipe, read_evaluation
from rhapsody_lib.operations.heldout import choose_songs
from rhapsody_lib.release import live_release
from rhapsody_lib.settings import Settings
from rhapsody_lib.words.document import Lyrics
from tests.trained import REPOSITORY, Trained

Refs = Mapping[str, ArtifactRef]
Change = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


@pytest.fixture
def store(trained: Trained, tmp_path: Path) -> Store:
    """The tiny release in a store of this test's own, not evaluated yet."""
    shutil.copytree(trained.store, tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / "artifacts" / "evaluation", ignore_errors=True)
    return Store(str(tmp_path / "store"))


@pytest.fixture
def without_song(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a song is most of the time, and not what every test is about."""
    monkeypatch.setattr("rhapsody_lib.operations.evaluation._try_song", lambda *_: {"error": ""})


def changed(store: Store, refs: Refs, kind: str, change: Change) -> dict[str, ArtifactRef]:
    """The same artifacts, but of one the weights are others."""
    source = store.fetch(refs[kind])

    def make(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        save_file(change(load_file(source / "weights.safetensors")), folder / "weights.safetensors")

    return {**refs, kind: store.build(Recipe(kind, 1, {"changed": change.__name__}, {}), make)}


def nothing(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array * 0 for name, array in weights.items()}


def diverged(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array * np.nan for name, array in weights.items()}


def test_a_first_release_is_measured_and_makes_a_song(store: Store) -> None:
    refs = live_release(store).refs
    evaluation = evaluate_models(store.root, refs)
    found = read_evaluation(store.root, evaluation)
    assert found["live"] is None
    assert found["songs"] == found["scores"] > 0
    assert found["candidate"]["lyrics"]["word_perplexity"] > 1
    assert found["candidate"]["backing"]["nats_per_beat"] > 0
    assert 0 < found["candidate"]["retrieval"]["mrr"] <= 1
    assert found["song"]["error"] == ""
    assert 0 <= found["song"]["longest_shared_words"] < 6
    assert 0 <= found["song"]["longest_shared_notes"] <= found["song"]["most_shared_notes"]
    assert min(found["song"][name] for name in ("words", "sung_syllables", "melody_notes")) > 0
    assert check_gate(store.root, evaluation, Settings()).passed


@pytest.mark.usefixtures("without_song")
def test_a_candidate_that_learnt_nothing_is_refused(store: Store) -> None:
    live = live_release(store).refs
    candidate = changed(store, changed(store, live, "lyrics", nothing), "backing", nothing)
    evaluation = evaluate_models(store.root, candidate, live)
    found = read_evaluation(store.root, evaluation)
    # What did not change is not measured twice.
    assert found["candidate"]["retrieval"] == found["live"]["retrieval"]
    verdict = check_gate(store.root, evaluation, Settings())
    met = {row.figure: row.met for row in verdict.rows}
    assert not met["lyrics.word_perplexity"]
    assert not met["backing.nats_per_beat"]
    assert met["retrieval.mrr"]
    with pytest.raises(RefusedError, match="perplexity per word"):
        verdict.enforce()
    # The other way round it is an improvement.
    assert check_gate(store.root, evaluate_models(store.root, live, candidate), Settings()).passed


def test_a_candidate_that_diverged_is_refused_with_its_reason(store: Store) -> None:
    live = live_release(store).refs
    evaluation = evaluate_models(store.root, changed(store, live, "backing", diverged), live)
    found = read_evaluation(store.root, evaluation)
    assert found["candidate"]["backing"]["nats_per_beat"] is None
    # Such weights are not sung with: there is no telling how long that would take.
    assert found["song"] == {"error": "its weights are no numbers (backing)."}
    reasons = check_gate(store.root, evaluation, Settings()).reasons
    assert [reason for reason in reasons if "cannot be measured" in reason]
    assert [reason for reason in reasons if "cannot make a song" in reason]


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring takes seconds, and is not what a test of the song is about."""
    monkeypatch.setattr("rhapsody_lib.operations.evaluation._measure", lambda *_: {"songs": 1})


def no_words(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("rhapsody_lib.lyrics.decoder.write_lyrics", broken)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("error", [IndexError("no lines"), InputError("no lines")])
def test_a_song_that_cannot_be_made_is_the_reason(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    no_words(monkeypatch, error)
    verdict = check_gate(store.root, evaluate_models(store.root, live_release(store).refs), Settings())
    assert verdict.reasons == (f"The candidate cannot make a song: {type(error).__name__}: no lines",)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("error", [MemoryError(), OSError("disk full"), ImportError("half an upgrade")])
def test_what_this_machine_lacks_is_no_verdict_on_the_candidate(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    refs = live_release(store).refs
    no_words(monkeypatch, error)
    with pytest.raises(type(error)):
        evaluate_models(store.root, refs)
    assert store.intact(evaluation_recipe(refs, None)) is None


@pytest.mark.usefixtures("unmeasured")
def test_a_song_whose_matches_have_no_usable_music_is_a_verdict(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> None:
        raise InputError("only drums")

    monkeypatch.setattr("rhapsody_lib.backing.primer.primer_facts", refused)
    found = read_evaluation(store.root, evaluate_models(store.root, live_release(store).refs))
    assert "No similar song has a track that can prime the music" in found["song"]["error"]


@pytest.mark.usefixtures("without_song")
def test_where_nothing_can_be_compared_a_live_release_is_not_replaced(store: Store) -> None:
    live = live_release(store).refs
    songs = store.fetch(live["corpus"])

    def without_heldout(folder: Path) -> None:
        shutil.copytree(songs, folder, dirs_exist_ok=True)
        table = pq.read_table(songs / SONGS_FILE)
        splits = table.schema.get_field_index("split")
        pq.write_table(table.set_column(splits, "split", [["train"] * len(table)]), folder / SONGS_FILE)

    corpus = store.build(Recipe("corpus", 1, {"heldout": 0}, {}), without_heldout)
    candidate = changed(store, {**live, "corpus": corpus}, "lyrics", nothing)
    verdict = check_gate(store.root, evaluate_models(store.root, candidate, live), Settings())
    # Backing and retrieval are the live release's own, so there is nothing to compare.
    (reason,) = verdict.reasons
    assert reason.startswith("Lyrics could not be compared with the live release")
    assert (verdict.live, verdict.compared) == (True, False)
    assert check_gate(store.root, evaluate_models(store.root, candidate), Settings()).passed


def started_from_a_base(store: Store, refs: Refs, read: Sequence[Lyrics]) -> dict[str, ArtifactRef]:
    """The same artifacts, but the lyrics model started from a base model that has read some songs."""
    source, runs = store.fetch(refs["lyrics"]), RunFilter.of_size(10_000)
    for song in read:
        runs.add(run_hashes(word_hashes(words_of(song)), COPY_WORDS))

    def make(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        runs.save(folder / BASE_COPIES_FILE)

    return {**refs, "lyrics": store.build(Recipe("lyrics", 1, {"read": len(read)}, {}), make)}


@pytest.mark.usefixtures("without_song")
def test_words_are_not_measured_on_songs_that_either_base_model_has_read(store: Store) -> None:
    plain = live_release(store).refs
    songs = choose_songs(store.fetch(plain["corpus"]), None).songs
    based = started_from_a_base(store, plain, songs[:1])
    alone = read_evaluation(store.root, evaluate_models(store.root, plain))
    for candidate, live in ((based, plain), (plain, based)):
        found = read_evaluation(store.root, evaluate_models(store.root, candidate, live))
        assert found["candidate"]["lyrics"]["songs"] == found["live"]["lyrics"]["songs"] == len(songs) - 1
        assert found["notes"][0].startswith(f"Only {len(songs)} songs are held out")
        assert f"1 of {len(songs)} held-out songs were read by a base model" in found["notes"][1]
        # A base model has learnt neither music nor the encoder.
        assert all(found["candidate"][stage] == alone["candidate"][stage] for stage in ("backing", "retrieval"))
    # Weights are the same in all: the figure differs by the songs alone.
    assert found["candidate"]["lyrics"]["word_perplexity"] != alone["candidate"]["lyrics"]["word_perplexity"]


@pytest.mark.usefixtures("without_song")
def test_music_is_not_measured_on_pieces_that_either_base_model_has_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("_measure_lyrics", "_measure_retrieval"):
        monkeypatch.setattr(f"rhapsody_lib.operations.evaluation.{other}", lambda *_: {})
    plain = live_release(store).refs
    scores = choose_songs(store.fetch(plain["corpus"]), None).scores
    source = store.fetch(plain["backing"])

    def make(folder: Path) -> None:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        save_marks(folder / BASE_READ_FILE, [score_mark(scores[0])])

    based = {**plain, "backing": store.build(Recipe("backing", 1, {"read": 1}, {}), make)}
    for candidate, live in ((based, plain), (plain, based)):
        found = read_evaluation(store.root, evaluate_models(store.root, candidate, live))
        assert found["candidate"]["backing"]["scores"] == found["live"]["backing"]["scores"] == len(scores) - 1
        assert f"1 of {len(scores)} held-out pieces of music were read by a base model" in found["notes"][1]


@pytest.mark.usefixtures("without_song")
def test_a_candidate_whose_base_has_read_every_song_is_not_compared(store: Store) -> None:
    plain = live_release(store).refs
    based = started_from_a_base(store, plain, choose_songs(store.fetch(plain["corpus"]), None).songs)
    verdict = check_gate(store.root, evaluate_models(store.root, based, plain), Settings())
    (reason,) = verdict.reasons
    assert reason.startswith("Lyrics could not be compared with the live release")
    assert "none is left to measure words on" in verdict.notes[1]


@pytest.mark.usefixtures("without_song")
@pytest.mark.parametrize("kind", ["lyrics", "encoder", "corpus"])
def test_a_damaged_live_artifact_is_noted_and_a_damaged_candidate_is_an_error(store: Store, kind: str) -> None:
    refs = live_release(store).refs
    lost = store.build(Recipe(kind, 1, {"lost": True}, {}), lambda folder: (folder / "metrics.json").write_text("{}"))
    (store.fetch(lost) / "metrics.json").unlink()
    broken = {**refs, kind: lost}
    evaluation = evaluate_models(store.root, refs, broken)
    found = read_evaluation(store.root, evaluation)
    (damage,) = (note for note in found["notes"] if "songs are held out" not in note)
    assert "metrics.json" in damage
    verdict = check_gate(store.root, evaluation, Settings())
    assert verdict.passed
    assert verdict.notes == tuple(found["notes"])
    uncompared = {row.figure.partition(".")[0] for row in verdict.rows if row.live is None} - {"song"}
    assert uncompared == {"lyrics": {"lyrics"}, "encoder": {"retrieval"}}.get(kind, set())
    with pytest.raises(DamagedArtifactError):
        evaluate_models(store.root, broken, refs)


def test_neither_framework_is_loaded(store: Store) -> None:
    code = """
import sys
from rhapsody_lib.artifacts import Store
from rhapsody_lib.operations.evaluation import evaluate_models
from rhapsody_lib.release import live_release
evaluate_models(sys.argv[1], live_release(Store(sys.argv[1])).refs)
print(*sorted({"tensorflow", "keras", "torch", "sentence_transformers"} & sys.modules.keys()))
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    found = subprocess.run(
        [sys.executable, "-c", code, store.root], env=environment, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout.strip()) == (0, ""), found.stderr
