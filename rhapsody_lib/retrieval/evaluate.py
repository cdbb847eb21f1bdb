"""How well a release finds songs, in figures that releases can be compared by: the same queries among the same songs.

The second half of each held-out song looks for its first half among the first halves of these and other songs.
"""

from __future__ import annotations

from collections.abc import Sequence

from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.calibration import Calibration
from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.metrics import Search, figures
from rhapsody_lib.retrieval.serving import Encoder
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder
from rhapsody_lib.words.document import Lyrics


def compare_halves(
    encoder: Encoder,
    queries: Sequence[Lyrics],
    others: Sequence[Lyrics],
    *,
    calibration: Calibration,
    progress: Progress = silent,
) -> dict[str, float]:
    """Recall@1, Recall@10, MRR and nDCG@10 of known-item search, as a catalogue is searched.

    Args:
        encoder: the release's encoder.
        queries: songs that are looked for; those too short to be halved are left out. Without any there is no figure.
        others: songs they are looked for among, beside themselves.
        calibration: how the score is weighed.
        progress: told of the texts embedded.
    """
    halves = [found for found in map(song_halves, queries) if found]
    songs = [*(first for first, _ in halves), *(found[0] for found in map(song_halves, others) if found)]
    if not halves:
        return {"queries": 0, "songs": len(songs)}
    asked = [second for _, second in halves]
    search = Search.of(songs, asked, range(len(halves)), StanzaEmbedder(encoder), progress)
    return figures(search.ranks(calibration)) | {"queries": len(halves), "songs": len(songs)}
