"""Making the base model that trainings of backing models start from: read music, train, export, measure."""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from rhapsody_lib.corpus.found import Track
    from rhapsody_lib.corpus.sandbox_pool import Parse

logger = logging.getLogger(__name__)

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
    files = {folder: _midi_files(folder) for folder in _roots(sources)}
    opened, inputs = Store(store), {}
    corpus: Path | None = None
    if SONGBOOK in sources:
        ref = prepare_corpus(store, settings, (SONGBOOK,))
        corpus, inputs[SONGBOOK] = opened.fetch(ref), ref.sha256
    for number, (root, paths) in enumerate(files.items()):
        inputs[f"source-{number}"] = _digest(root, paths)
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


def _roots(sources: Sequence[str]) -> list[Path]:
    """The folders among the sources. Their names begin the ids of their songs, so no two may have the same."""
    roots = [Path(source).expanduser().resolve() for source in sources if source != SONGBOOK]
    for name, count in Counter(root.name for root in roots).items():
        if count > 1:
            raise SourceError(f"{count} sources are folders named '{name}': rename them, for songs are named by them.")
    return roots


def _digest(root: Path, paths: Sequence[Path]) -> str:
    """Of all that the songs of a folder depend on: its name, the names of its files in it, and what they hold."""
    try:
        parts = [root.name, *(f"{path.relative_to(root).as_posix()} {known_sha256(path)}" for path in paths)]
    except OSError as error:
        raise SourceError(
            f"{error.filename or root}: cannot be read ({error.strerror or error}). Mend it or take it out of the "
            "folder."
        ) from error
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _midi_files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file())
    if not found:
        raise SourceError(f"{folder}: holds no MIDI files ({', '.join(_ENDINGS)}). Name 'songbook' or such folders.")
    return found


def song_of(path: Path, root: Path) -> str:
    """The song that a file is a version of: the nearest folder whose name its own begins with, else the file itself."""
    inside = path.relative_to(root).parts[:-1]
    return next((name for name in reversed(inside) if path.stem.startswith(name)), path.stem)


def _write_music(corpus: Path | None, files: dict[Path, list[Path]], out: Path, settings: Settings) -> dict[str, int]:
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
            for song, track in _read(root, paths, settings):
                songs.write(song)
                tracks.write(track)
                counts[root.name] += 1
    return dict(counts)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


def _read(root: Path, paths: Sequence[Path], settings: Settings) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """A row of the songs and one of the tracks for each file that can be read; versions of a song share its split.

    The files may be strangers', so they are parsed in processes that can be killed.
    """
    from rhapsody_lib.corpus.sandbox import Sandbox
    from rhapsody_lib.corpus.sandbox_pool import default_workers, in_order

    told, limits = reporter(f"Reading {root.name}"), settings.corpus
    sandboxes = [
        Sandbox(timeout_s=limits.file_timeout_s, memory_mb=limits.file_memory_mb) for _ in range(default_workers())
    ]
    with closing(in_order(paths, _track, sandboxes)) as tracks:
        for number, (path, track) in enumerate(zip(paths, tracks, strict=True), start=1):
            told(number, len(paths))
            if track is not None:
                yield _rows_of(root, path, track, settings)


def _rows_of(root: Path, path: Path, track: Track, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    from rhapsody_lib.corpus.split import split_position

    group, song_id = song_of(path, root), f"{root.name}/{path.relative_to(root).as_posix()}"
    held_out = split_position(f"{root.name}/{group}", settings.seed) < settings.corpus.heldout_share
    split = "heldout" if held_out else "train"
    about = {"artist": "", "language": "", "genres": [], "year": 0, "lyrics": "", "licence": ""}
    return (
        {"song_id": song_id, "source": root.name, "title": group, **about, "split": split},
        {"track_id": song_id, "song_id": song_id, "sha256": "", **vars(track)},
    )


def _track(path: Path, parse: Parse) -> Track | None:
    """The music of a file; none where it is too large or cannot be read."""
    from rhapsody_lib.corpus.found import Job
    from rhapsody_lib.music.midi import DEFAULT_LIMITS

    try:
        too_large = path.stat().st_size > DEFAULT_LIMITS.max_bytes
        return None if too_large else parse(Job("primer", str(path), path.name)).track
    except (UnreadableFileError, OSError) as error:
        logger.info("%s is left out: %s", path, error)
        return None


def _train(tables: Path, folder: Path, checkpoint: Checkpoint, settings: Settings, about: dict[str, Any]) -> None:
    from rhapsody_lib.backing.base_export import export_base
    from rhapsody_lib.backing.dataset import load_data, tokens_to_read
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
    data = load_data(tables, tokens_to_read(settings.backing))
    export_base(trained, data, folder, {**about, "date": date, "heldout_share": settings.corpus.heldout_share})
