"""What a songwriter asks of the matched song, as filters of the catalogue."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from rhapsody_lib.artifacts import Store
from rhapsody_lib.errors import InputError, RhapsodyError
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.release import Release
from rhapsody_lib.settings import SongSettings

if TYPE_CHECKING:
    from rhapsody_lib.retrieval.filters import MatchFilters
    from rhapsody_lib.retrieval.search import Accept, Match
    from rhapsody_lib.words.document import Lyrics

logger = logging.getLogger(__name__)

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
        melody=request.match_melody,
    )


def check_filters(store: str, release: Release, request: SongSettings) -> None:
    """Refuse filters of the match that no song of the catalogue passes, before any words are written.

    Raises:
        InputError: none does; the message says how many each filter leaves.
    """
    if not request.filters_match:
        return
    import pyarrow as pa

    from rhapsody_lib.retrieval.layout import SONGS_FILE
    from rhapsody_lib.retrieval.segments import map_batch

    folder = Store(store).fetch(release.refs["catalogue"], (SONGS_FILE,))
    try:
        songs = pa.Table.from_batches([map_batch(folder / SONGS_FILE)])
        filters_of(request).passing(songs)
    except (OSError, ValueError, KeyError):  # a catalogue that cannot be read: the match says what is wrong with it
        return


def tell_unsearched(store: str, release: Release) -> None:
    """Say how many songs of the catalogue are not searched, for they have no music and one of the matches primes."""
    from rhapsody_lib.retrieval.layout import CARD_FILE

    try:
        path = Store(store).fetch(release.refs["catalogue"], (CARD_FILE,)) / CARD_FILE
        card = json.loads(path.read_text(encoding="utf-8"))
        songs, searched = int(card["songs"]), int(card["songs_with_track"])
    except (RhapsodyError, OSError, KeyError, TypeError, ValueError):  # the match says what is wrong with it
        return
    if searched < songs:
        logger.info("%s of %s songs have no music and are not searched.", f"{songs - searched:,}", f"{songs:,}")


def best_accepted(
    store: Store, release: Release, lyrics: Lyrics, request: SongSettings, accept: Accept
) -> Match | None:
    """The most similar song whose track is accepted, of those that the request allows; none if there is none.

    Args:
        store: where the artifacts of the release are.
        release: whose encoder and catalogue are used.
        lyrics: the words.
        request: whose filters hold.
        accept: asked of the tracks of the songs from the most similar one on.
    """
    from rhapsody_lib.retrieval.search import find_matches
    from rhapsody_lib.retrieval.serving import Encoder

    catalogue = open_catalogue(store, release.refs["catalogue"])
    encoder = Encoder.load(store.fetch(release.refs["encoder"]))
    found = find_matches(catalogue, encoder, lyrics, 1, require_track=True, filters=filters_of(request), accept=accept)
    return found[0] if found else None
