"""`rhapsody evaluate lyrics`, `backing` and `retrieval` on a release of tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rhapsody_lib.artifacts import Store
from rhapsody_lib.backing.controls import CONTROLS
from rhapsody_lib.operations import backing_figures, lyrics_figures
from rhapsody_lib.operations.lyrics_figures import GENERATED, HELDOUT, LOOPED, SHUFFLED
from rhapsody_lib.release import live_release
from rhapsody_lib.retrieval.yardsticks import ANCESTOR, BASE, ENCODER, OURS, RANDOM, TFIDF
from tests.trained import Trained

Run = Callable[..., tuple[int, str, str]]


def test_figures_of_the_live_release(rhapsody: Run, trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "page"
    code, stdout, stderr = rhapsody(
        "evaluate", "lyrics", "--store", trained.store, "--songs", "2", "--json", "--out", str(out)
    )
    assert (code, stderr) == (0, "")
    found = json.loads(stdout)
    assert found["release"] == 1
    assert found["corpus"]["heldout_songs"] > 0
    told = found["heldout"]
    assert told["measured_tokens"] == found["corpus"]["measured_tokens"] <= found["corpus"]["heldout_tokens"]
    assert found["corpus"]["5gram_tokens"] == found["corpus"]["train_tokens"]
    assert told["heldout_perplexity_with_mixture"] < told["heldout_perplexity_with_cache"] < told["heldout_perplexity"]
    assert [song["seed"] for song in found["songs"]] == [0, 1]
    assert found["songs"][0]["text"].splitlines()[1].split()[0].lower() == found["songs"][0]["prompt"].split()[0]
    assert found["text"].keys() >= {GENERATED, SHUFFLED, LOOPED}
    assert found["overall"][LOOPED] > 1
    assert found["copying"][HELDOUT]["longest_run_median"] < 6
    assert json.loads((out / "figures.json").read_text(encoding="utf-8"))["overall"] == found["overall"]


def test_what_is_not_there_is_told(rhapsody: Run, trained: Trained, tmp_path: Path) -> None:
    code, _, stderr = rhapsody("evaluate", "lyrics", "--store", str(tmp_path / "empty"))
    assert code == 5
    assert "rhapsody train" in stderr
    code, _, stderr = rhapsody("evaluate", "lyrics", "--store", trained.store, "--source", trained.source)
    assert code == 5  # it was trained with other settings than those of the profile 'fast'
    assert "with these settings" in " ".join(stderr.split())


def test_the_terminal_shows_the_tables(rhapsody: Run, trained: Trained) -> None:
    code, stdout, _ = rhapsody("evaluate", "lyrics", "--store", trained.store, "--songs", "1")
    assert code == 0
    assert stdout.startswith("Lyrics of release 1, trained on ")
    # Long names are folded on a narrow terminal.
    assert {"Kneser-Ney", "density", "distance", "generated", "median", "pairs"} <= set(stdout.split())


def test_large_corpora_are_bounded(rhapsody: Run, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lyrics_figures, "YARDSTICK_TOKENS", 500)
    code, stdout, _ = rhapsody("evaluate", "lyrics", "--store", trained.store, "--songs", "1", "--json")
    corpus = json.loads(stdout)["corpus"]
    assert code == 0
    assert 0 < corpus["5gram_tokens"] <= 500 < corpus["train_tokens"]
    monkeypatch.setattr(lyrics_figures, "MOST_TOKENS", corpus["train_tokens"] - 1)
    code, _, stderr = rhapsody("evaluate", "lyrics", "--store", trained.store, "--with-seed-network")
    assert code == 2
    assert f"hold {corpus['train_tokens']:,} tokens" in " ".join(stderr.split())


def test_figures_of_the_live_release_s_music(rhapsody: Run, trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "page"
    code, stdout, stderr = rhapsody(
        "evaluate", "backing", "--store", trained.store, "--songs", "1", "--json", "--out", str(out)
    )
    assert (code, stderr) == (0, "")
    found = json.loads(stdout)
    assert found["release"] == 1
    assert found["corpus"]["heldout_songs"] > 1
    # As the training measured it, with torch.
    store = Store(trained.store)
    backing = store.fetch(live_release(store).refs["backing"])
    learnt = json.loads((backing / "metrics.json").read_text(encoding="utf-8"))
    assert found["heldout"]["nats_per_token_served"] == pytest.approx(learnt["heldout_nll"], rel=1e-3)
    assert found["heldout"]["nats_per_token"] == learnt["heldout_nll"]
    assert found["heldout"]["nats_per_token_5gram"] == learnt["ngram_nll"]
    assert found["overall"]["random pitches"] > 1
    assert found["overall"].keys() >= {backing_figures.GENERATED, *CONTROLS}
    assert found["copying"][backing_figures.HELDOUT]["limit"] == learnt["heldout_melodies"]["limit"]
    assert found["songs"][0]["copying"]["notes"] > 0
    assert (out / "spreads.svg").stat().st_size > 1000
    assert "own first 8 bars" in (out / "backing.md").read_text(encoding="utf-8")


def test_the_terminal_shows_the_tables_of_music(rhapsody: Run, trained: Trained) -> None:
    code, stdout, _ = rhapsody("evaluate", "backing", "--store", trained.store, "--songs", "1")
    assert code == 0
    assert stdout.startswith("Backing of release 1, trained on ")
    assert {"Kneser-Ney", "density", "distance", "pitches", "median", "melodies"} <= set(stdout.split())


def test_figures_of_the_live_release_s_search(rhapsody: Run, trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "page"
    code, stdout, stderr = rhapsody("evaluate", "retrieval", "--store", trained.store, "--json", "--out", str(out))
    told = " ".join(stderr.split())
    assert (code, not told or told.startswith("The encoder runs in ")) == (0, True)
    found = json.loads(stdout)
    assert found["release"] == 1
    assert found["corpus"]["tuned"] is False
    assert 2 <= found["corpus"]["queries"] <= found["corpus"]["songs"] <= 20
    assert found["finding"].keys() == found["shared"].keys() >= {ANCESTOR, ENCODER, OURS, TFIDF}
    assert BASE not in found["finding"]  # the encoder is not tuned
    assert found["finding"][OURS]["mrr"] > found["finding"][RANDOM]["mrr"]
    assert found["shared"][TFIDF]["mrr"] > found["finding"][TFIDF]["mrr"]
    assert found["notes"] == []
    assert json.loads((out / "figures.json").read_text(encoding="utf-8"))["finding"] == found["finding"]
    assert OURS in (out / "retrieval.md").read_text(encoding="utf-8")
    code, stdout, _ = rhapsody("evaluate", "retrieval", "--store", trained.store)
    assert code == 0
    assert stdout.startswith("Retrieval of release 1")
    assert {"ours", "Recall@1", "confidence"} <= set(stdout.split())
