"""Whether the match matters for the music: does the matched song's track suit the words better than a random one.

Each song's words look for the most similar other song; the two songs' own tracks are then compared by what is known of
both, and the mood of the words with the mode of the matched track. A shuffled pairing of the same songs is chance.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.retrieval.lexical import words_of
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.retrieval.scoring import features_of
from rhapsody_lib.retrieval.search import is_same_song, runs_of
from rhapsody_lib.retrieval.serving import Vectors
from rhapsody_lib.retrieval.yardsticks import by_digest
from rhapsody_lib.seeding import generator

Rows = NDArray[np.int64]
#: Reads the words of songs of a catalogue by their rows.
Texts = Callable[[Sequence[int]], Mapping[int, str]]
#: Songs that are looked from at most, and shuffled pairings.
MOST_SONGS, SHUFFLES = 1000, 1000
#: Nearest songs whose words are read together, to tell copies.
_AT_ONCE = 4
#: Words of good and of bad mood: a rough proxy, stated, not learnt.
_GLAD_WORDS = """
    bright dance danced dancing delight free friend friends gay glad gladness glory golden good happy heaven hope
    joy joyful kind kiss laugh laughed laughing laughter light love loved lovely merry morning peace play praise
    rejoice shine shining sing singing smile smiled spring summer sun sunny sweet warm welcome win wonder
"""
_SAD_WORDS = """
    afraid alone bitter blood broken burn cold cried cry crying dark darkness dead death despair die died dying
    empty fall fallen fear gone goodbye grave grief hate hell hurt lonely lonesome lose lost mourn night nobody pain
    pale poor regret sad sigh sin sorrow tear tears tired war weary weep weeping winter woe wound wrong
"""
GLAD, SAD = frozenset(_GLAD_WORDS.split()), frozenset(_SAD_WORDS.split())


@dataclass(frozen=True)
class Agreement:
    """One comparison: its value for the matched pairs, its mean for shuffled ones, and their interval of 95 in 100."""

    pairs: int
    matched: float
    shuffled: float
    interval: tuple[float, float]

    @property
    def told_apart(self) -> bool:
        """Whether the matched pairs lie outside of what shuffled pairs give."""
        return not self.interval[0] <= self.matched <= self.interval[1]


def valence(text: str) -> float:
    """Glad words less sad ones, by both, in [-1, 1]; 0 without any."""
    words = words_of(text)
    glad, sad = (sum(word in of for word in words) for of in (GLAD, SAD))
    return (glad - sad) / (glad + sad) if glad + sad else 0.0


def best_others(catalogue: Catalogue, texts: Texts) -> tuple[Rows, Rows]:
    """Rows of songs with words and music, and of the most similar other song with music of each; a copy is no other.

    Songs are chosen by the digests of their ids. Those that have no other are left out.

    Args:
        catalogue: the songs.
        texts: reads the words of a few of them.
    """
    tracks = catalogue.has_track & ~catalogue.matrix.wordless
    ids = catalogue.songs.column("song_id")
    chosen = heapq.nsmallest(MOST_SONGS, np.flatnonzero(tracks).tolist(), key=lambda row: by_digest(ids[row].as_py()))
    words, found = texts(sorted(chosen)), dict[int, int]()
    refused: dict[int, list[int]] = {row: [row] for row in words}
    while refused:
        # The nearest few of each, so that the words of all are read together; who has copies alone looks on.
        nearest = {row: _nearest(catalogue, tracks, row, words[row], past) for row, past in refused.items()}
        others = texts(sorted({other for few in nearest.values() for other in few}))
        for row, few in nearest.items():
            runs = _runs(words[row])
            other = next((other for other in few if not is_same_song(runs, _runs(others[other]))), None)
            if other is not None:
                found[row] = other
            refused[row] += few
        refused = {row: past for row, past in refused.items() if nearest[row] and row not in found}
    pairs = np.array(sorted(found.items()), np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _nearest(catalogue: Catalogue, tracks: NDArray[np.bool_], row: int, text: str, refused: Sequence[int]) -> list[int]:
    """The most similar few songs with music of a song, but those that were refused; the nearest first."""
    query = _vector(catalogue, row)
    _, features = features_of(catalogue.matrix, catalogue.lexicon, catalogue.shapes, query, text)
    scores = np.where(tracks, catalogue.calibration.scores(features), -np.inf)
    scores[refused] = -np.inf
    found: list[int] = []
    while len(found) < _AT_ONCE and np.isfinite(scores[other := int(np.argmax(scores))]):
        found.append(other)
        scores[other] = -np.inf
    return found


def _vector(catalogue: Catalogue, row: int) -> Vectors:
    """The vector of a song, read where it lies."""
    for chunk in catalogue.matrix.chunks:
        if row < len(chunk):
            return np.asarray(chunk[row])
        row -= len(chunk)
    raise IndexError(row)


def _runs(text: str) -> set[tuple[str, ...]]:
    return runs_of([("", text)])


def measure_agreement(catalogue: Catalogue, texts: Texts) -> dict[str, Agreement]:
    """How well matched tracks agree with the songs' own, beside a shuffled pairing; empty with fewer than three songs.

    Args:
        catalogue: the songs.
        texts: reads the words of a few of them.
    """
    rows, matched = best_others(catalogue, texts)
    if len(rows) < 3:
        return {}
    needed = np.union1d(rows, matched)
    facts = catalogue.songs.select(["key", "tempo_bpm", "time_signature", "genres"]).take(needed).to_pylist()
    songs = dict(zip(needed.tolist(), facts, strict=True))
    moods = {row: valence(text) for row, text in texts(rows.tolist()).items()}
    found: dict[str, Agreement] = {}
    for name, compare in _COMPARISONS.items():
        values = _compared(rows, matched, songs, moods, compare)
        if values is not None:
            found[name] = values
    return found


def _same(name: str) -> Callable[[Mapping[str, Any], Mapping[str, Any], float], float]:
    return lambda one, other, _: float(one[name] == other[name]) if one[name] and other[name] else np.nan


def _same_mode(one: Mapping[str, Any], other: Mapping[str, Any], _: float) -> float:
    if not one["key"] or not other["key"]:
        return np.nan
    return float(one["key"].split()[-1] == other["key"].split()[-1])


def _tempo_distance(one: Mapping[str, Any], other: Mapping[str, Any], _: float) -> float:
    if not one["tempo_bpm"] or not other["tempo_bpm"]:
        return np.nan
    return float(abs(np.log2(one["tempo_bpm"] / other["tempo_bpm"])))


def _same_style(one: Mapping[str, Any], other: Mapping[str, Any], _: float) -> float:
    if not one["genres"] or not other["genres"]:
        return np.nan
    return float(bool(set(one["genres"]) & set(other["genres"])))


def _mood_and_mode(_: Mapping[str, Any], other: Mapping[str, Any], mood: float) -> float:
    """The mood of the words, with its sign turned where the matched track is in a minor key."""
    if not other["key"] or not mood:
        return np.nan
    return mood if other["key"].endswith("major") else -mood


_COMPARISONS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], float], float]] = {
    "same style": _same_style,
    "same mode": _same_mode,
    "same time signature": _same("time_signature"),
    "tempo, octaves apart": _tempo_distance,
    "glad words with major, sad with minor": _mood_and_mode,
}


def _compared(
    rows: Rows,
    matched: Rows,
    songs: Mapping[int, Mapping[str, Any]],
    moods: Mapping[int, float],
    compare: Callable[[Mapping[str, Any], Mapping[str, Any], float], float],
) -> Agreement | None:
    """A comparison of all pairs; none where nothing is known of any, or it is the same whoever is paired."""

    def values(others: Rows) -> NDArray[np.float64]:
        pairs = zip(rows.tolist(), others.tolist(), strict=True)
        # A song beside itself, as a shuffling may pair it, would always agree.
        return np.array([compare(songs[a], songs[b], moods[a]) if a != b else np.nan for a, b in pairs])

    told = values(matched)
    known = told[~np.isnan(told)]
    if not len(known):
        return None
    random = generator(0, "retrieval", "shuffled")
    means = []
    for _ in range(SHUFFLES if len(rows) <= 300 else SHUFFLES // 5):
        shuffled = values(random.permutation(matched))
        means.append(float(np.nanmean(shuffled)) if not np.isnan(shuffled).all() else 0.0)
    low, high = np.quantile(means, (0.025, 0.975))
    if low == high:
        return None
    return Agreement(len(known), float(known.mean()), float(np.mean(means)), (float(low), float(high)))
