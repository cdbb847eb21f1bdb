"""What a songwriter asks of the matched song, as filters of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import InputError
from rhapsody_lib.settings import SongSettings

if TYPE_CHECKING:
    from rhapsody_lib.retrieval.filters import MatchFilters

_LOWEST_BPM, _HIGHEST_BPM = 20.0, 400.0


def tempo_range(text: str) -> tuple[float, float] | None:
    """Lowest and highest quarter notes a minute of e.g. '90-120', '90-' or '96'; none if empty.

    Raises:
        InputError: it is no such range.
    """
    if not text.strip():
        return None
    low, dash, high = (part.strip() for part in text.partition("-"))
    try:
        least = float(low) if low else _LOWEST_BPM
        most = (float(high) if high else _HIGHEST_BPM) if dash else least
    except ValueError:
        least, most = 1.0, 0.0
    if not _LOWEST_BPM <= least <= most <= _HIGHEST_BPM:
        raise InputError(
            f"--match-tempo '{text}': is no range of quarter notes a minute from {_LOWEST_BPM:g} to {_HIGHEST_BPM:g}, "
            "such as 90-120."
        )
    # A tempo that was measured is seldom a round number.
    return (least - 0.5, most + 0.5) if not dash else (least, most)


def filters_of(request: SongSettings) -> MatchFilters:
    """The filters that a request names.

    Raises:
        InputError: the tempo is no range, or the key no key.
    """
    from rhapsody_lib.music.chords import parse_key
    from rhapsody_lib.retrieval.filters import MatchFilters

    try:
        key = parse_key(request.match_key).name if request.match_key else ""
    except ValueError as error:
        raise InputError(f"--match-key: {error}.") from error
    return MatchFilters(
        language=request.match_language,
        style=request.match_style,
        tempo_bpm=tempo_range(request.match_tempo),
        key=key,
        licence=request.match_licence,
    )


def having_melody(store: Store, corpus: ArtifactRef) -> Callable[[str | None], bool]:
    """Whether a track of a corpus has a melody: asked of the best songs only, for the music of each is read for it."""
    import pyarrow.parquet as pq

    from rhapsody_lib.corpus.schema import TRACKS_FILE
    from rhapsody_lib.errors import UnreadableFileError
    from rhapsody_lib.music.midi import midi_to_score

    @cache
    def places() -> dict[str, tuple[int, int]]:
        """Row group of each track, and its row there."""
        with pq.ParquetFile(store.fetch(corpus) / TRACKS_FILE) as file:
            groups = (file.read_row_group(group, columns=["track_id"]) for group in range(file.num_row_groups))
            ids = [group.column("track_id").to_pylist() for group in groups]
        return {track_id: (group, row) for group, found in enumerate(ids) for row, track_id in enumerate(found)}

    def has_melody(track_id: str | None) -> bool:
        if track_id not in places():
            return False
        group, row = places()[track_id]
        with pq.ParquetFile(store.fetch(corpus) / TRACKS_FILE) as file:
            midi = file.read_row_group(group, columns=["midi"]).column("midi")[row].as_py()
        try:
            return bool(midi and midi_to_score(midi, f"track {track_id}").parts["melody"])
        except (InputError, UnreadableFileError):
            return False

    return has_melody
