"""What a release's backing model is worth: how well it tells music that it has not heard, and what it writes.

Everything is measured as it is served, with NumPy; what is written is measured as it is delivered, words laid on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.backing.base import base_marks
from rhapsody_lib.backing.controls import CONTROLS
from rhapsody_lib.backing.copying import MELODIES_FILE, MelodyCopying, MelodyIndex
from rhapsody_lib.backing.dataset import score_mark
from rhapsody_lib.backing.decoder import compose_backing
from rhapsody_lib.backing.evaluate import heldout_nats, measure_priming, packed_score
from rhapsody_lib.backing.metrics import score_metrics
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.backing.primer import primer_facts
from rhapsody_lib.backing.quantise import quantise
from rhapsody_lib.backing.tokens import HEADER_TOKENS
from rhapsody_lib.corpus.schema import TRACKS_FILE
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.distances import FigureDistance, figure_distances, overall
from rhapsody_lib.errors import InputError, UnreadableFileError
from rhapsody_lib.lyrics.lines import break_line
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.plan import SongPlan
from rhapsody_lib.music.score import Score
from rhapsody_lib.operations.originality import write_original
from rhapsody_lib.progress import Progress, reporter, silent
from rhapsody_lib.seeding import generator
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.words.document import Lyrics, parse_lyrics

GENERATED, HELDOUT = "generated", "held-out"
#: Held-out songs beside other held-out songs: as alike as it gets.
HALVES = "half of held-out by the other half"
#: Held-out songs that are measured, and training songs that may prime what is written.
_MOST_SCORES, _MOST_PRIMERS = 200, 400


@dataclass(frozen=True)
class WrittenMusic:
    """A piece that the model wrote, unselected: whose words, primed by what, and its figures."""

    title: str
    primer: str
    seed: int
    figures: Mapping[str, float]
    copying: MelodyCopying


@dataclass(frozen=True)
class BackingFigures:
    """What was measured.

    Args:
        corpus: songs trained on and held out, tokens held out.
        heldout: nats per token of the network and of the 5-gram, both over all held-out songs as the training measured
            them; as the model is served, nats per token and per note of the songs measured here, and their tokens and
            notes.
        priming: as `evaluate.Priming.figures` gives it.
        music: for each set of songs (`GENERATED`, `HALVES`, the controls) its distance to held-out music by each
            figure.
        overall: one distance for each set.
        copying: what `GENERATED` and `HELDOUT` melodies share with the training songs.
        samples: the figures of each song of each set, and of `HELDOUT`.
        songs: what was written.
    """

    corpus: Mapping[str, int]
    heldout: Mapping[str, float]
    priming: Mapping[str, float]
    music: Mapping[str, Mapping[str, FigureDistance]]
    overall: Mapping[str, float]
    copying: Mapping[str, Mapping[str, float]]
    samples: Mapping[str, Sequence[Mapping[str, float]]]
    songs: Sequence[WrittenMusic]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values; a figure that a song has not is null."""
        text = json.dumps(asdict(self))
        plain: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
        return plain


def nearest_control(figures: BackingFigures) -> str:
    """The best negative control: of those farther from held-out music than held-out music is from itself, the nearest.

    What is nearer than that is no control on this corpus: songs on eighths are not spoilt by being set on eighths.
    """
    floor = figures.overall.get(HALVES, 0.0)
    told = {name: figures.overall[name] for name in CONTROLS if figures.overall.get(name, 0.0) > floor}
    return min(told, key=lambda name: told[name], default="")


def measure_backing(store: str, refs: Mapping[str, ArtifactRef], songs: int = 50) -> BackingFigures:
    """Measure the backing model of a release.

    Args:
        store: address of the store.
        refs: of `backing` and of the `corpus` that it was trained on.
        songs: how many are written.

    Raises:
        InputError: fewer than two songs with music are held out that the model's base has not read, or the likelihood
            is no number: the training diverged.
        DamagedArtifactError: an artifact cannot be read.
    """
    opened = Store(store)
    return measure_model(opened.fetch(refs["backing"]), opened.fetch(refs["corpus"]), songs)


def measure_model(folder: Path, corpus: Path, songs: int) -> BackingFigures:
    """The same of the folders of a model and of its corpus."""
    model, rows = BackingModel.load(folder), list(read_songs(corpus, "heldout"))
    heldout = _unread(folder, list(read_scores(corpus, {row["song_id"] for row in rows}, _MOST_SCORES)))
    learnt = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    told = _told(model, [score for _, score in heldout])  # first: with weights that are no numbers nothing is written
    index = MelodyIndex.load(folder / MELODIES_FILE)
    written = write_music(model, index, corpus, words_of(rows), songs, reporter("Writing music"))
    samples: dict[str, Sequence[Mapping[str, float]]] = {
        HELDOUT: [score_metrics(score) for _, score in heldout],
        GENERATED: [song.figures for song in written],
    }
    for name, spoil in CONTROLS.items():
        random = generator(0, "backing", name)
        samples[name] = [score_metrics(spoil(score, random)) for _, score in heldout]
    music = music_distances(samples)
    return BackingFigures(
        corpus={"train_songs": learnt["train_songs"], "heldout_songs": len(heldout)},
        # Of the same songs, which those measured here may be a part of.
        heldout={**told, "nats_per_token": learnt["heldout_nll"], "nats_per_token_5gram": learnt["ngram_nll"]},
        priming=measure_priming(model, [score for _, score in heldout], progress=reporter("Priming")).figures(),
        music=music,
        overall={name: overall(found) for name, found in music.items()},
        copying={GENERATED: _shared(written), HELDOUT: index.figures()},
        samples=samples,
        songs=written,
    )


def music_distances(samples: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, dict[str, FigureDistance]]:
    """The distance of each set to the held-out songs, and of one half of these to the other; where there are any."""
    reference = samples[HELDOUT]
    told = {name: figure_distances(found, reference) for name, found in samples.items() if name != HELDOUT}
    halves = figure_distances(reference[1::2], reference[::2])
    sets = {GENERATED: told.pop(GENERATED, {}), HALVES: halves, **told}
    return {name: found for name, found in sets.items() if found}


def read_scores(corpus: Path, song_ids: set[str], most: int) -> Iterator[tuple[str, Score]]:
    """(song id, score) of the tracks of songs, `most` at even distances; what cannot be told is left out."""
    table = pq.read_table(corpus / TRACKS_FILE, columns=["song_id"])["song_id"].to_pylist()
    wanted = [row for row, song_id in enumerate(table) if song_id in song_ids]
    chosen = set(wanted[:: -(-len(wanted) // most)]) if wanted else set()
    row = -1
    for batch in pq.ParquetFile(corpus / TRACKS_FILE).iter_batches(batch_size=64, columns=["song_id", "midi"]):
        for song_id, midi in zip(batch["song_id"].to_pylist(), batch["midi"].to_pylist(), strict=True):
            row += 1
            if row in chosen:
                try:
                    score = midi_to_score(midi, song_id)
                    quantise(score)
                except (InputError, UnreadableFileError):
                    continue
                yield song_id, score


def words_of(rows: Sequence[Mapping[str, Any]]) -> list[Lyrics]:
    """The words of songs, long lines broken; those of the packaged songbook where the songs have none."""
    found = [parse_lyrics(row["lyrics"] or "", row["title"] or "") for row in rows]
    if not any(song.lines for song in found):
        from rhapsody_lib.corpus.songbook import read_song, songbook_files
        from rhapsody_lib.corpus.songbook_reader import song_lyrics
        from rhapsody_lib.corpus.sources import EMBEDDED_FOLDER

        found = [song_lyrics(read_song(path)) for path in sorted(songbook_files(EMBEDDED_FOLDER))[::10]]
    return [_broken(song) for song in found if song.lines]


def _broken(song: Lyrics) -> Lyrics:
    sections = [
        replace(section, lines=tuple(piece for line in section.lines for piece in break_line(line)))
        for section in song.sections
    ]
    return replace(song, sections=tuple(section for section in sections if section.lines))


def write_music(
    model: BackingModel,
    index: MelodyIndex,
    corpus: Path,
    words: Sequence[Lyrics],
    count: int,
    progress: Progress = silent,
) -> list[WrittenMusic]:
    """Pieces as `rhapsody song` writes them, but all new: none opens with its primer's own bars.

    The words are those of the songs in turn, the primers training songs in an order drawn once, the seeds 0, 1, ...
    """
    primers, written = _primers(corpus), list[WrittenMusic]()
    for seed in range(count if primers else 0):
        lyrics, (name, primer) = words[seed % len(words)], primers[seed % len(primers)]
        facts = primer_facts(primer)
        write = partial(_composed, model, facts.plan(lyrics), primer, facts.key, index)
        score, copying = write_original(write, seed, lyrics=lyrics, melodies=index, primer=primer)
        score = fit_words(lyrics, score)
        written.append(WrittenMusic(lyrics.title, name, seed, score_metrics(score), copying))
        progress(seed + 1, count, lyrics.title)
    return written


def _composed(model: BackingModel, plan: SongPlan, primer: Score, key: Key, index: MelodyIndex, seed: int) -> Score:
    return compose_backing(model, plan, primer, key=key, seed=seed, melodies=index)


def _primers(corpus: Path) -> list[tuple[str, Score]]:
    """Training songs that can prime, in an order that has nothing to do with what they are."""
    usable = []
    for song_id, score in read_scores(corpus, {row["song_id"] for row in read_songs(corpus, "train")}, _MOST_PRIMERS):
        try:
            primer_facts(score)
        except InputError:
            continue
        usable.append((song_id, score))
    order = generator(0, "backing", "primers").permutation(len(usable))
    return [usable[place] for place in order]


def _unread(folder: Path, heldout: list[tuple[str, Score]]) -> list[tuple[str, Score]]:
    """The held-out songs that the base of a model, if it was started from one, has not read.

    Raises:
        InputError: fewer than two are left.
    """
    marks = base_marks(folder)
    left = [(song_id, score) for song_id, score in heldout if not marks or score_mark(score) not in marks]
    if len(left) < 2:
        known = len(heldout) - len(left)
        besides = f" that its base model has not read ({known} it has read)" if known else ""
        raise InputError(
            f"{len(left)} songs with music are held out of this corpus{besides}: too few to measure on. Train on more "
            f"songs{', or with backing.base=none' if known else ''}."
        )
    return left


def _told(model: BackingModel, scores: Sequence[Score]) -> dict[str, float]:
    """The likelihood of the scores as the model is served; those with too many tokens are left out.

    Raises:
        InputError: no score is left, or the likelihood is no number.
    """
    packed = [(song, score) for score in scores if (song := packed_score(model, score)) is not None]
    if not packed:
        raise InputError("Every held-out song is too long to be measured on. Train on more songs.")
    songs = [song for song, _ in packed]
    nats = float(heldout_nats(model, songs, progress=reporter("Likelihood")).sum())
    if not math.isfinite(nats):
        raise InputError(
            "The likelihood of this backing model is no finite number: its training diverged. Measure another release "
            "with --release, or train again with a lower backing.learning_rate."
        )
    tokens = sum(len(song.ids) - HEADER_TOKENS for song in songs)
    notes = sum(len(found) for _, score in packed for found in score.parts.values())
    return {"nats_per_token_served": nats / tokens, "nats_per_note": nats / notes, "tokens": tokens, "notes": notes}


def _shared(written: Sequence[WrittenMusic]) -> dict[str, float]:
    """Notes of the longest runs that written melodies share, and how many of them are beyond the limit."""
    if not written:
        return {}
    runs = np.asarray([song.copying.longest_run for song in written])
    primed = np.asarray([song.copying.primer_run for song in written])
    limit = written[0].copying.limit
    return {
        "songs": len(written),
        "longest_run_median": float(np.median(runs)),
        "longest_run_p95": float(np.quantile(runs, 0.95)),
        "longest_run_max": float(runs.max()),
        "primer_run_median": float(np.median(primed)),
        "primer_run_max": float(primed.max()),
        "limit": float(limit),
        "beyond_limit": float((np.maximum(runs, primed) > limit).sum()),
    }
