"""What a benchmark keeps for its next run is taken only by a run of the same kind, with the same model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.words.document import Lyrics, LyricSection
from tests.benchmarks import backing, backing_judged, retrieval_matching
from tests.benchmarks.backing_bench import Bench as BackingBench
from tests.benchmarks.retrieval_bench import Bench


def test_lyrics_are_kept_with_their_prompts_for_the_model_that_wrote_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded: list[str] = []
    store = SimpleNamespace(fetch=lambda ref: ref.key)

    def written(model: str, prompt: str, **_: Any) -> Any:
        lyrics = Lyrics("", (LyricSection("verse 1", (f"{prompt} {model}",)),))
        return SimpleNamespace(best=SimpleNamespace(lyrics=lyrics))

    monkeypatch.setattr(operations, "prepare_corpus", lambda *_: None)
    monkeypatch.setattr(retrieval_matching, "Store", lambda _: store)
    monkeypatch.setattr(retrieval_matching, "LyricsModel", SimpleNamespace(load=lambda key: loaded.append(key) or key))
    monkeypatch.setattr(retrieval_matching, "write_lyrics", written)
    monkeypatch.setattr(retrieval_matching, "_songbook", lambda _: [Lyrics("", (LyricSection("verse", ("rain",)),))])
    monkeypatch.setattr(retrieval_matching, "QUICK_WRITTEN", 2)
    bench = Bench(tmp_path, tmp_path, quick=True)
    for key in ("a" * 64, "a" * 64, "b" * 64):
        ref = ArtifactRef(kind="lyrics", key=key, uri="", sha256="")
        monkeypatch.setattr(operations, "train_lyrics", lambda *_, ref=ref: ref)
        found = retrieval_matching.written_lyrics(bench)
        assert found.prompts == ["rain", "rain"]
        assert found.lyrics[0].lines == (f"rain {key}",)
    assert loaded == ["a" * 64, "b" * 64]


def test_a_quick_tuning_keeps_nothing_that_a_full_one_goes_on_with(tmp_path: Path) -> None:
    tuning = pytest.importorskip("tests.benchmarks.retrieval_tuning")
    quick, full = (tuning._place(Bench(tmp_path, tmp_path, quick=quick), "tuning-states") for quick in (True, False))
    assert quick != full
    assert {quick.parent, full.parent} == {tmp_path}


@pytest.mark.parametrize(("options", "pieces"), [((), 100), (("--songs", "36"), 36), (("--songs", "36", "--quick"), 6)])
def test_statistics_write_as_many_pieces_as_are_asked_for(
    options: tuple[str, ...], pieces: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []

    def statistics(bench: BackingBench) -> list[Any]:
        backing_judged._figures(bench, "songbook")
        return []

    monkeypatch.setattr(BackingBench, "backing_model", lambda *_: Path())
    monkeypatch.setattr(BackingBench, "corpus_folder", lambda *_: Path())
    monkeypatch.setattr(backing_judged, "measure_model", lambda _, __, written: asked.append(written))
    monkeypatch.setattr(backing, "group", lambda _: statistics)
    monkeypatch.setattr("sys.argv", ["backing", "--only", "statistics", *options])
    backing.main()
    assert asked == [pieces]
    capsys.readouterr()


def test_no_pieces_are_no_statistics(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["backing", "--songs", "0"])
    with pytest.raises(SystemExit):
        backing.main()
    assert "0 is less than 1" in capsys.readouterr().err
