"""What a tuned encoder is measured on, what it is measured beside, and that nothing stands there under a wrong name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.errors import DamagedArtifactError, InputError, MissingExtraError
from rhapsody_lib.operations import agreement, retrieval_figures
from rhapsody_lib.operations.agreement import best_others
from rhapsody_lib.operations.retrieval_figures import _before_tuning, _chosen, _texts_in, measure_retrieval
from rhapsody_lib.recipe import Recipe
from rhapsody_lib.retrieval import encoder as stage
from rhapsody_lib.retrieval.calibration import USUAL
from rhapsody_lib.retrieval.lexical import LexicalIndex
from rhapsody_lib.retrieval.pairs import heldout_artist, unread_artists
from rhapsody_lib.retrieval.scoring import SongMatrix
from rhapsody_lib.retrieval.shapes import ShapeTable
from rhapsody_lib.retrieval.yardsticks import by_digest
from rhapsody_lib.settings import EncoderSettings

WEIGHTS = {"model.safetensors": "digest"}


def test_of_a_tuned_encoder_only_songs_of_unread_artists_are_looked_for(tmp_path: Path) -> None:
    rows = [
        {
            "song_id": f"song {number}",
            "title": f"{number}",
            "artist": f"Artist {number // 4}" if number < 40 else None,
            "lyrics": f"line {number} one\nline {number} two",
            "split": "heldout" if number % 3 else "train",
        }
        for number in range(60)
    ]
    pq.write_table(pa.Table.from_pylist(rows, SONGS_SCHEMA), tmp_path / SONGS_FILE)
    unread = {row["title"] for row in rows if heldout_artist(str(row["artist"] or row["song_id"]), 0.3)}
    queries, others = _chosen(tmp_path, 0.3)
    assert {song.title for song in queries} == unread
    assert {song.title for song in others} == {row["title"] for row in rows} - unread
    assert len(_chosen(tmp_path, None)[0]) == 60


@pytest.mark.parametrize(
    ("metrics", "share"),
    [
        ({"best_epoch": 2, "heldout_artists": 0.25}, 0.25),
        ({"best_epoch": 2}, EncoderSettings().heldout_artists),
        ({"best_epoch": 0, "heldout_artists": 0.25}, None),
        ([], None),
        (None, None),
    ],
)
def test_what_a_tuned_encoder_has_not_read_stands_in_its_metrics(tmp_path: Path, metrics: Any, share: Any) -> None:
    if metrics is not None:
        (tmp_path / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    assert unread_artists(tmp_path) == share


class Served:
    """An encoder that knows its card alone."""

    def __init__(self, weights: dict[str, str]) -> None:
        self.encoder, self.card = self, {"weights_sha256": weights}


def tuned_in(store: Store, model: str) -> ArtifactRef:
    settings = {"encoder": {"model": model, "max_tokens": 32, "tuning": "pairs"}}
    return store.build(Recipe("encoder", 1, settings, {}), lambda folder: (folder / "a").write_text("a"))


def test_the_encoder_before_tuning_is_the_one_it_was_tuned_from_and_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, built = Store(str(tmp_path / "store")), list[tuple[Path, EncoderSettings]]()

    def build(out: Path, settings: EncoderSettings) -> dict[str, Any]:
        built.append((out, settings))
        return {"weights_sha256": WEIGHTS}

    monkeypatch.setattr(stage, "build_encoder", build)
    monkeypatch.setattr(retrieval_figures.Encoder, "load_bulk", lambda folder: folder)
    monkeypatch.setattr(retrieval_figures, "StanzaEmbedder", lambda served: ("before", served))
    ref = tuned_in(store, "bert-base-nli-mean-tokens")
    before = store.keys()
    with _before_tuning(store, ref, Served(WEIGHTS), tuned=True) as (base, notes):  # type: ignore[arg-type]
        assert (base, notes) == (("before", built[0][0]), ())
        assert built[0][0].is_dir()
    ((folder, settings),) = built
    assert (settings.model, settings.max_tokens, settings.tuning) == ("bert-base-nli-mean-tokens", 32, "none")
    assert not folder.exists()
    assert store.keys() == before
    with _before_tuning(store, ref, Served({"a": "b"}), tuned=True) as (base, notes):  # type: ignore[arg-type]
        assert base is None
        assert "other weights" in notes[0]


@pytest.mark.parametrize("error", [MissingExtraError("torch"), InputError("cannot be had"), OSError("disk")])
def test_where_it_cannot_be_had_a_note_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(out: Path, settings: EncoderSettings) -> dict[str, Any]:
        raise error

    monkeypatch.setattr(stage, "build_encoder", fail)
    store = Store(str(tmp_path / "store"))
    for model in ("gone", "a folder"):
        embedder: Any = Served(WEIGHTS)
        with _before_tuning(store, tuned_in(store, model), embedder, tuned=True) as (base, notes):
            assert base is None
            assert "ancestor's way" in notes[0]
            assert (str(error) in notes[0]) == (model == "gone")
        with _before_tuning(store, tuned_in(store, model), embedder, tuned=False) as told:
            assert told == (embedder, ())


def test_an_old_catalogue_fails_before_anything_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path / "store"))
    refs = {
        kind: store.build(Recipe(kind, 1, {}, {}), lambda folder: (folder / "catalogue.json").write_text("{}"))
        for kind in ("corpus", "encoder", "catalogue")
    }
    monkeypatch.setattr(retrieval_figures, "_chosen", lambda *_: pytest.fail("songs were read first"))
    with pytest.raises(DamagedArtifactError, match="is not a usable catalogue"):
        measure_retrieval(store.root, refs)


class Songs:
    """A catalogue of songs in two chunks, all with music."""

    def __init__(self, texts: list[str], vectors: list[tuple[float, float]]) -> None:
        unit = np.array(vectors, np.float32)
        self.matrix = SongMatrix.of([unit[:2], unit[2:]])
        self.lexicon, self.shapes = LexicalIndex.build(texts), ShapeTable.build(texts)
        self.calibration, self.has_track = USUAL, np.ones(len(texts), bool)
        self.songs = pa.table({"song_id": [f"song {number}" for number in range(len(texts))]})


def test_a_copy_is_no_other_song_and_rows_are_chosen_by_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        "the river and the boat\nmy sail on the water",
        "the train on the rail\nmy ticket of the station",
        "the river and the boat\nmy sail on the water again",
        "a whistle and a train\nthe engine on my rail",
    ]
    catalogue: Any = Songs(texts, [(1, 0), (0.6, 0.8), (1, 0), (0, 1)])
    asked: list[list[int]] = []

    def read(rows: Sequence[int]) -> dict[int, str]:
        asked.append(list(rows))
        return {row: texts[row] for row in rows}

    rows, matched = best_others(catalogue, read)
    assert rows.tolist() == [0, 1, 2, 3]
    assert (matched[0], matched[2]) != (2, 0)
    assert set(matched[[0, 2]]) <= {1, 3}
    monkeypatch.setattr(agreement, "MOST_SONGS", 2)
    chosen = sorted(sorted(range(4), key=lambda row: retrieval_figures.by_digest(f"song {row}"))[:2])
    asked.clear()
    assert best_others(catalogue, read)[0].tolist() == chosen != [0, 1]
    assert asked[0] == chosen  # no other words are read than of these, and of what is near to them
    monkeypatch.setattr(agreement, "_AT_ONCE", 1)
    again, others = best_others(catalogue, read)
    assert (again.tolist(), others.tolist()) == (chosen, [matched[row] for row in chosen])
    only: Any = Songs([texts[0], texts[2], texts[2]], [(1, 0), (1, 0), (0.6, 0.8)])
    same = [texts[0], texts[2], texts[2]]
    assert len(best_others(only, lambda rows: {row: same[row] for row in rows})[0]) == 0


def test_of_many_songs_those_of_the_lowest_digests_are_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {
            "song_id": f"song {number}",
            "title": f"{number}",
            "artist": f"Artist {number}",
            "lyrics": f"line {number} one\nline {number} two" if number % 5 else "one line alone",
        }
        for number in range(60)
    ]
    pq.write_table(pa.Table.from_pylist(rows, SONGS_SCHEMA), tmp_path / SONGS_FILE)
    lots = sorted((row for number, row in enumerate(rows) if number % 5), key=lambda r: by_digest(str(r["song_id"])))
    new = [row["title"] for row in lots if heldout_artist(str(row["artist"]), 0.4)]
    old = [row["title"] for row in lots if not heldout_artist(str(row["artist"]), 0.4)]
    for queries, songs in ((4, 9), (4, 30), (40, 44)):
        monkeypatch.setattr(retrieval_figures, "MOST_QUERIES", queries)
        monkeypatch.setattr(retrieval_figures, "MOST_SONGS", songs)
        wanted, others = ([song.title for song in of] for of in _chosen(tmp_path, 0.4))
        assert wanted == new[:queries]
        assert others == [*new[queries:], *old][: songs - len(wanted)]


def test_words_of_a_few_songs_are_read_where_they_stand(tmp_path: Path) -> None:
    rows = [{"song_id": f"song {n}", "title": "T", "lyrics": f"[verse]\nwords of {n}"} for n in range(9)]
    pq.write_table(pa.Table.from_pylist(rows, SONGS_SCHEMA), tmp_path / SONGS_FILE, row_group_size=2)
    catalogue: Any = Songs(["a b"] * 3, [(1, 0)] * 3)
    catalogue.songs = pa.table({"song_id": ["song 7", "song 1", "song 4"]})
    read = _texts_in(tmp_path, catalogue)
    assert read([2, 0]) == {2: "words of 4", 0: "words of 7"}
    assert read([]) == {}
