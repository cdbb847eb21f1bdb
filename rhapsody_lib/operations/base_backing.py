"""Making the base model that trainings of backing models start from: read music, train, export, measure."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA, TRACKS_FILE, TRACKS_SCHEMA
from rhapsody_lib.errors import SourceError, UnreadableFileError
from rhapsody_lib.hashing import known_sha256
from rhapsody_lib.operations.base_folder import check_out, copy_base
from rhapsody_lib.operations.tables import prepare_corpus
from rhapsody_lib.progress import recorder, reporter
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import Settings

#: Raised whenever the same sources and settings give another model.
VERSION = 2
BASE_PROFILE = Path(__file__).parent.parent / "backing" / "base_profile.toml"
SONGBOOK = "songbook"
_ENDINGS = (".mid", ".midi")
_BATCH_ROWS = 256


def make_backing_base(
    store: str, settings: Settings, sources: Sequence[str], out: Path, command: str
) -> dict[str, Any]:
    """Train a base model of music and write its folder; what the store has already is not made again.

    Args:
        store: keeps the songbook's corpus, the states of the training and the model.
        settings: those of `BASE_PROFILE`, say.
        sources: `songbook`, and folders of MIDI files; their music is read, words are not needed.
        out: a new or empty folder to write to, or that of an earlier base model, which is replaced.
        command: the command that makes it again, for the model card.

    Returns:
        What its figures.json holds.

    Raises:
        InputError: `out` is not such a folder.
        SourceError: a source is missing or holds no MIDI files, or nothing in the sources is usable.
        StoreError: the store or `out` cannot be written.
        MissingExtraError: torch or symusic is not installed.
    """
    from rhapsody_lib.backing.base import BASE_FILES

    check_out(out, BASE_FILES)
    folders = [Path(source).expanduser() for source in sources if source != SONGBOOK]
    files = {str(folder): _midi_files(folder) for folder in folders}
    opened, inputs = Store(store), {}
    corpus: Path | None = None
    if SONGBOOK in sources:
        ref = prepare_corpus(store, settings, (SONGBOOK,))
        corpus, inputs[SONGBOOK] = opened.fetch(ref), ref.sha256
    for number, paths in enumerate(files.values()):
        digests = [f"{path.name} {known_sha256(path)}" for path in paths]
        inputs[f"source-{number}"] = _digest(digests)
    values = {"backing": settings.backing.model_dump(mode="json"), "seed": settings.seed, "backing-base": VERSION}
    recipe = Recipe("base", VERSION, values, inputs)

    def make(folder: Path) -> None:
        tables = folder.parent / "music"
        counts = _write_music(corpus, files, tables, settings)
        _train(tables, folder, Checkpoint.of(opened, recipe), settings, {"command": command, "sources": counts})

    made = opened.fetch(opened.build(recipe, make))
    Checkpoint.of(opened, recipe).clear()
    copy_base(made, out)
    figures: dict[str, Any] = json.loads((made / "figures.json").read_text(encoding="utf-8"))
    return figures


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _midi_files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file())
    if not found:
        raise SourceError(f"{folder}: holds no MIDI files ({', '.join(_ENDINGS)}). Name 'songbook' or such folders.")
    return found


def song_of(path: Path, root: Path) -> str:
    """The song that a file is a version of: the nearest folder whose name its own begins with, else the file itself."""
    inside = path.relative_to(root).parts[:-1]
    return next((name for name in reversed(inside) if path.stem.startswith(name)), path.stem)


def _write_music(corpus: Path | None, files: dict[str, list[Path]], out: Path, settings: Settings) -> dict[str, int]:
    """Tables of songs and tracks from a prepared corpus and from MIDI files; how many tracks each source gave."""
    from rhapsody_lib.corpus.tables import TableWriter

    counts: Counter[str] = Counter()
    out.mkdir(parents=True, exist_ok=True)
    with (
        TableWriter(out / SONGS_FILE, SONGS_SCHEMA) as songs,
        TableWriter(out / TRACKS_FILE, TRACKS_SCHEMA) as tracks,
    ):
        for name, table in ((SONGS_FILE, songs), (TRACKS_FILE, tracks)):
            for row in _rows(corpus / name) if corpus else ():
                table.write(row)
                counts[SONGBOOK] += name == TRACKS_FILE
        for root, paths in files.items():
            for song, track in _read(Path(root), paths, settings):
                songs.write(song)
                tracks.write(track)
                counts[Path(root).name] += 1
    return dict(counts)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


def _read(root: Path, paths: Sequence[Path], settings: Settings) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """A row of the songs and one of the tracks for each file that can be read; versions of a song share its split."""
    from rhapsody_lib.corpus.found import track_of
    from rhapsody_lib.corpus.split import split_of
    from rhapsody_lib.music.midi import DEFAULT_LIMITS, midi_to_score

    told = reporter(f"Reading {root.name}")
    for number, path in enumerate(paths, start=1):
        told(number, len(paths))
        name = path.relative_to(root).as_posix()
        if path.stat().st_size > DEFAULT_LIMITS.max_bytes:
            continue
        try:
            track = track_of(midi_to_score(path.read_bytes(), name))
        except UnreadableFileError:
            continue
        group = song_of(path, root)
        song_id = f"{root.name}/{name}"
        split = split_of(f"{root.name}/{group}", settings.seed, settings.corpus.heldout_share)
        about = {"artist": "", "language": "", "genres": [], "year": 0, "lyrics": "", "licence": ""}
        yield (
            {"song_id": song_id, "source": root.name, "title": group, **about, "split": split},
            {"track_id": song_id, "song_id": song_id, "sha256": "", **vars(track)},
        )


def _train(tables: Path, folder: Path, checkpoint: Checkpoint, settings: Settings, about: dict[str, Any]) -> None:
    from rhapsody_lib.backing.base_export import export_base
    from rhapsody_lib.backing.dataset import load_data
    from rhapsody_lib.backing.training import train_backing

    trained = folder.parent / "trained"
    train_backing(
        tables,
        trained,
        checkpoint,
        settings.backing,
        seed=split_seed(settings.seed, "backing"),
        progress=reporter("Training the base"),
        record=recorder("Training the base"),
    )
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    export_base(trained, load_data(tables), folder, {**about, "date": date, "heldout_share": settings.corpus.heldout_share})
