"""Making the base model that trainings of lyrics start from: prepare, choose, train, export, measure."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.operations.base_folder import check_out, copy_base
from rhapsody_lib.operations.pipelines import refuse_seed_network
from rhapsody_lib.operations.tables import prepare_corpus
from rhapsody_lib.progress import recorder, reporter
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import Settings
from rhapsody_lib.words.document import Lyrics, parse_lyrics

#: Raised whenever the same sources and settings give another model.
VERSION = 2
BASE_PROFILE = Path(__file__).parent.parent / "lyrics" / "base_profile.toml"


def make_base(store: str, settings: Settings, sources: Sequence[str], out: Path, command: str) -> dict[str, Any]:
    """Train a base model on sources and write its folder; what the store has already is not made again.

    Args:
        store: keeps the prepared corpus, the states of the training and the model.
        settings: those of `BASE_PROFILE`, say.
        sources: the songbook first, then poems.
        out: a new or empty folder to write to, or that of an earlier base model, which is replaced.
        command: the command that makes it again, for the model card.

    Returns:
        What its figures.json holds.

    Raises:
        InputError: the settings' lyrics model writes no songs, or `out` is not such a folder.
        SourceError: a source is missing, or nothing in the sources is fit.
        StoreError: the store or `out` cannot be written.
    """
    from rhapsody_lib.lyrics.base import BASE_FILES

    refuse_seed_network(settings)
    check_out(out, BASE_FILES)
    opened, corpus = Store(store), prepare_corpus(store, settings, tuple(sources))
    values = {"lyrics": settings.lyrics.model_dump(mode="json"), "seed": settings.seed}
    recipe = Recipe("base", VERSION, values, {"corpus": corpus.sha256})

    def make(folder: Path) -> None:
        _make(opened.fetch(corpus), folder, Checkpoint.of(opened, recipe), settings, command)

    made = opened.fetch(opened.build(recipe, make))
    Checkpoint.of(opened, recipe).clear()
    copy_base(made, out)
    figures: dict[str, Any] = json.loads((made / "figures.json").read_text(encoding="utf-8"))
    return figures


def _make(corpus: Path, folder: Path, checkpoint: Checkpoint, settings: Settings, command: str) -> None:
    from rhapsody_lib.lyrics.base_corpus import choose_songs
    from rhapsody_lib.lyrics.base_export import export_base
    from rhapsody_lib.lyrics.model import LyricsModel
    from rhapsody_lib.lyrics.training import train_lyrics

    chosen, trained = folder.parent / "chosen", folder.parent / "trained"
    choice = choose_songs(corpus, chosen)
    train_lyrics(
        chosen,
        trained,
        checkpoint,
        settings.lyrics,
        seed=split_seed(settings.seed, "lyrics"),
        progress=reporter("Training the base"),
        record=recorder("Training the base"),
    )
    heldout: dict[str, list[Lyrics]] = {}
    for source, song in _songs(chosen, "heldout"):
        heldout.setdefault(source, []).append(song)
    about = {
        "command": command,
        "data": asdict(choice),
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "heldout_share": settings.corpus.heldout_share,
        "train_words": sum(len(line.split()) for _, song in _songs(chosen, "train") for line in song.lines),
    }
    read = (song for _, song in _songs(chosen, "train"))
    export_base(LyricsModel.load(trained), read, heldout, folder, about)


def _songs(corpus: Path, split: str) -> Iterator[tuple[str, Lyrics]]:
    """Source and lyrics of each song of a split, once each."""
    import pyarrow.parquet as pq

    from rhapsody_lib.corpus.schema import SONGS_FILE

    with pq.ParquetFile(corpus / SONGS_FILE) as table:
        for batch in table.iter_batches(512, columns=["song_id", "source", "title", "lyrics", "split"]):
            for row in batch.to_pylist():
                if row["split"] == split and (split == "heldout" or not row["song_id"].endswith("~2")):
                    yield row["source"], parse_lyrics(row["lyrics"], row["title"] or "")
