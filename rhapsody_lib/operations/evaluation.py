"""The step before a release: candidate and live release are measured on the same held-out songs, and judged.

An evaluation is an artifact: `evaluation.json` holds the figures of both by stage, a song that was tried, and notes.
Everything is measured as it is served, with NumPy and ONNX Runtime: neither TensorFlow nor torch is needed.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import DamagedArtifactError, MissingExtraError, StoreError
from rhapsody_lib.gate import Verdict, judge
from rhapsody_lib.operations.recipes import STAGE_VERSIONS
from rhapsody_lib.operations.releasing import EVALUATION_FILE, figures_of
from rhapsody_lib.progress import Progress, reporter
from rhapsody_lib.release import Release
from rhapsody_lib.settings import Settings, SongSettings

if TYPE_CHECKING:
    from rhapsody_lib.lyrics.runs import RunFilter
    from rhapsody_lib.operations.heldout import Heldout

logger = logging.getLogger(__name__)

#: What the candidate is asked for, to see that it can make a song.
TRIAL = SongSettings(prompt="the sky is blue", candidates=4, max_lines=12, audio=False)
#: What each figure depends on.
_ARTIFACTS_OF = {"lyrics": ("lyrics",), "backing": ("backing",), "retrieval": ("encoder", "catalogue")}
#: Without it a stage is not measured.
_MAIN_FIGURE = {"lyrics": "word_perplexity", "backing": "nats_per_beat", "retrieval": "mrr"}
#: Stages whose code the figures and the song depend on, beside the artifacts that it made.
_SERVED = ("lyrics", "encoder", "catalogue", "backing", "song")
_DIGITS = 6

Figures = dict[str, float]


def evaluation_recipe(candidate: Mapping[str, ArtifactRef], live: Mapping[str, ArtifactRef] | None) -> Recipe:
    """Recipe of the comparison of two releases, or of a first one."""
    inputs = {kind: ref.sha256 for kind, ref in candidate.items()}
    inputs |= {f"live-{kind}": ref.sha256 for kind, ref in (live or {}).items()}
    values = {
        "trial": TRIAL.model_dump(mode="json"),
        "stages": {stage: STAGE_VERSIONS[stage] for stage in _SERVED},
        "rhapsody": metadata.version("rhapsody"),
    }
    return Recipe("evaluation", STAGE_VERSIONS["evaluation"], values, inputs)


def evaluate_models(
    store: str, candidate: Mapping[str, ArtifactRef], live: Mapping[str, ArtifactRef] | None = None
) -> ArtifactRef:
    """Measure a candidate, and the live release beside it, on the same held-out songs; try to make a song.

    Args:
        store: address of the store.
        candidate: a ref for each of `release.RELEASE_KINDS`.
        live: those of the live release; none where there is none.

    Raises:
        DamagedArtifactError: an artifact of the candidate is damaged. One of the live release is noted instead.
        StoreError: the store cannot be read.
        OSError, MemoryError: of this machine; nothing is kept, and the next try measures again.
    """
    opened = Store(store)

    def make(folder: Path) -> None:
        evaluation = _evaluate(opened, candidate, live, reporter("Evaluating"))
        text = json.dumps(evaluation, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        (folder / EVALUATION_FILE).write_text(text + "\n", encoding="utf-8")

    return opened.build(evaluation_recipe(candidate, live), make)


def read_evaluation(store: str, evaluation: ArtifactRef) -> dict[str, Any]:
    """What `evaluate_models` measured."""
    path = Store(store).fetch(evaluation) / EVALUATION_FILE
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def check_gate(store: str, evaluation: ArtifactRef, settings: Settings) -> Verdict:
    """Whether the candidate of an evaluation may be released, by `settings.gate`."""
    return judge(read_evaluation(store, evaluation), settings.gate)


def _evaluate(
    store: Store,
    candidate: Mapping[str, ArtifactRef],
    live: Mapping[str, ArtifactRef] | None,
    progress: Progress,
) -> dict[str, Any]:
    # Not before: it loads the tables' library, for which a song would wait.
    from rhapsody_lib.operations.heldout import choose_songs, without_known

    notes: list[str] = []
    corpus = store.fetch(candidate["corpus"])
    heldout = choose_songs(corpus, _live_corpus(store, candidate, live, notes), live_tuned=_is_tuned(store, live))
    heldout = without_known(heldout, _read_by_bases(store, candidate, live), _heard_by_bases(store, candidate, live))
    notes += heldout.notes
    stages = tuple(_ARTIFACTS_OF)
    total = len(stages) * (2 if live else 1) + 1
    measured: dict[str, Figures] = {}
    for done, stage in enumerate(stages, start=1):
        measured[stage] = _measure(store, candidate, heldout, stage)
        progress(done, total, f"{stage} of the candidate")
    beside: dict[str, Figures] = {}
    for done, stage in enumerate(stages if live else (), start=len(stages) + 1):
        beside[stage] = _measure_live(store, candidate, live or {}, heldout, stage, measured[stage], notes)
        progress(done, total, f"{stage} of the live release")
    diverged = [stage for stage in stages if not all(map(math.isfinite, measured[stage].values()))]
    # Sampling from such weights had not ended after minutes.
    no_song = {"error": f"its weights are no numbers ({', '.join(diverged)})."}
    song = no_song if diverged else _try_song(store, candidate, corpus)
    progress(total, total, "a song")
    found = {
        "songs": len(heldout.songs),
        "scores": len(heldout.scores),
        "candidate": measured,
        "live": beside if live else None,
        "uncompared": _uncompared(candidate, live, measured, beside),
        "song": song,
        "notes": notes,
    }
    return _plain(found)


def _uncompared(
    candidate: Mapping[str, ArtifactRef],
    live: Mapping[str, ArtifactRef] | None,
    measured: Mapping[str, Figures],
    beside: Mapping[str, Figures],
) -> list[str]:
    """Stages that differ from the live release's and had nothing to be measured on; damage is noted elsewhere."""
    return [
        stage
        for stage, figure in _MAIN_FIGURE.items()
        if live is not None
        and beside[stage]
        and figure not in measured[stage]
        and figure not in beside[stage]
        and any(live[kind].sha256 != candidate[kind].sha256 for kind in _ARTIFACTS_OF[stage])
    ]


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """The same with rounded figures, and none for a figure that is no number, as of a model that diverged."""
    text, nothing = json.dumps(found), lambda _: None
    plain: dict[str, Any] = json.loads(
        text, parse_float=lambda text: round(float(text), _DIGITS), parse_constant=nothing
    )
    return plain


def _live_corpus(
    store: Store,
    candidate: Mapping[str, ArtifactRef],
    live: Mapping[str, ArtifactRef] | None,
    notes: list[str],
) -> Path | None:
    """The live release's corpus, where it is another one that can be read."""
    if live is None or live["corpus"].sha256 == candidate["corpus"].sha256:
        return None
    try:
        return store.fetch(live["corpus"])
    except DamagedArtifactError as error:
        notes.append(f"Songs that the live release was trained on could not be left out: {error}")
        return None


def _is_tuned(store: Store, live: Mapping[str, ArtifactRef] | None) -> bool:
    """Whether the live release's encoder was tuned on songs; a damaged one is noted where it is measured."""
    with suppress(DamagedArtifactError):
        return live is not None and bool(figures_of(store.root, {"": live["encoder"]}).get("", {}).get("tuned"))
    return False


def _read_by_bases(
    store: Store, candidate: Mapping[str, ArtifactRef], live: Mapping[str, ArtifactRef] | None
) -> list[RunFilter]:
    """What the base models that the two started from have read; a damaged live model is noted where it is measured."""
    from rhapsody_lib.lyrics.copying import base_runs

    found = [base_runs(store.fetch(candidate["lyrics"]))]
    if live is not None and live["lyrics"].sha256 != candidate["lyrics"].sha256:
        with suppress(DamagedArtifactError):
            found.append(base_runs(store.fetch(live["lyrics"])))
    return [runs for runs in found if runs is not None]


def _heard_by_bases(
    store: Store, candidate: Mapping[str, ArtifactRef], live: Mapping[str, ArtifactRef] | None
) -> list[frozenset[str]]:
    """The same of the base models of music."""
    from rhapsody_lib.backing.base import base_marks

    found = [base_marks(store.fetch(candidate["backing"]))]
    if live is not None and live["backing"].sha256 != candidate["backing"].sha256:
        with suppress(DamagedArtifactError):
            found.append(base_marks(store.fetch(live["backing"])))
    return found


def _measure_live(
    store: Store,
    candidate: Mapping[str, ArtifactRef],
    live: Mapping[str, ArtifactRef],
    heldout: Heldout,
    stage: str,
    of_candidate: Figures,
    notes: list[str],
) -> Figures:
    """A stage's figures of the live release; none, and a note, where it is damaged or of an older format."""
    if all(live[kind].sha256 == candidate[kind].sha256 for kind in _ARTIFACTS_OF[stage]):
        return dict(of_candidate)
    try:
        return _measure(store, live, heldout, stage)
    except DamagedArtifactError as error:
        notes.append(f"{stage.capitalize()} could not be compared with the live release: {error}")
        return {}


def _measure(store: Store, refs: Mapping[str, ArtifactRef], heldout: Heldout, stage: str) -> Figures:
    measures: dict[str, Callable[[Store, Mapping[str, ArtifactRef], Heldout], Figures]] = {
        "lyrics": _measure_lyrics,
        "backing": _measure_backing,
        "retrieval": _measure_retrieval,
    }
    return measures[stage](store, refs, heldout)


def _measure_lyrics(store: Store, refs: Mapping[str, ArtifactRef], heldout: Heldout) -> Figures:
    from rhapsody_lib.lyrics.evaluate import evaluate_lyrics
    from rhapsody_lib.lyrics.model import LyricsModel

    model = LyricsModel.load(store.fetch(refs["lyrics"]))
    return evaluate_lyrics(model, heldout.songs)


def _measure_backing(store: Store, refs: Mapping[str, ArtifactRef], heldout: Heldout) -> Figures:
    from rhapsody_lib.backing.evaluate import evaluate_backing
    from rhapsody_lib.backing.model import BackingModel

    return evaluate_backing(BackingModel.load(store.fetch(refs["backing"])), heldout.scores)


def _measure_retrieval(store: Store, refs: Mapping[str, ArtifactRef], heldout: Heldout) -> Figures:
    from rhapsody_lib.retrieval.calibration import USUAL
    from rhapsody_lib.retrieval.evaluate import compare_halves
    from rhapsody_lib.retrieval.serving import Encoder

    store.fetch(refs["catalogue"])  # a damaged one is told of
    encoder = Encoder.load_bulk(store.fetch(refs["encoder"]))
    # Not by the weights of each one's catalogue: these were fitted on songs that are looked for here.
    return compare_halves(encoder, heldout.queries, heldout.others, calibration=USUAL)


def _try_song(store: Store, refs: Mapping[str, ArtifactRef], corpus: Path) -> dict[str, Any]:
    """Make words and music with the candidate; `error` says why it could not."""
    from rhapsody_lib.lyrics.overlap import longest_shared_run, words_of
    from rhapsody_lib.operations.generation import compose_backing, find_match, write_lyrics
    from rhapsody_lib.operations.heldout import training_lyrics
    from rhapsody_lib.song.fit import fit_words

    release = Release(0, refs, {}, None, "candidate", "")
    try:
        draft = write_lyrics(store.root, release, TRIAL)
        matches = find_match(store.root, release, draft)
        composition = compose_backing(store.root, release, TRIAL, draft, matches)
        sung = fit_words(draft.best.lyrics, composition.score)
    except (StoreError, MissingExtraError, MemoryError, OSError, ImportError):
        raise  # of this machine or of now, not of the candidate: nothing to be kept
    except Exception as error:  # whatever it is, it would meet the songwriter
        logger.exception("The candidate's song failed.")
        return {"error": f"{type(error).__name__}: {error}"}
    words = words_of(draft.best.lyrics)
    shared = longest_shared_run(words, training_lyrics(corpus), but_within=TRIAL.prompt.split())
    facts = {
        "words": len(words),
        "sung_syllables": len(sung.syllables),
        "melody_notes": len(composition.score.parts["melody"]),
        "longest_shared_words": shared,
        "longest_shared_notes": max(composition.copying["longest_run"], composition.copying["primer_run"]),
        "most_shared_notes": composition.copying["limit"],
    }
    empty = [name.replace("_", " ") for name in ("words", "sung_syllables", "melody_notes") if not facts[name]]
    return {**facts, "error": f"its song has no {' and no '.join(empty)}." if empty else ""}
