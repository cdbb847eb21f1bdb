"""How well a release finds songs, in figures that releases can be compared by: the same queries among the same songs.

The second half of each held-out song looks for its first half among the first halves of these and other songs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.layout import CARD_FILE
from rhapsody_lib.retrieval.lexical import LexicalIndex
from rhapsody_lib.retrieval.metrics import figures, rank_of
from rhapsody_lib.retrieval.scoring import SongMatrix, hybrid
from rhapsody_lib.retrieval.serving import Encoder
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text, song_stanzas
from rhapsody_lib.words.document import Lyrics


def lexical_weight_of(catalogue: Path) -> float:
    """Share of TF-IDF in the score with which a catalogue is searched.

    Raises:
        DamagedArtifactError: its card cannot be read.
    """
    path = catalogue / CARD_FILE
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["lexical_weight"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedArtifactError(f"{path}: cannot be read ({error}). Embed the catalogue again.") from error


def compare_halves(
    encoder: Encoder,
    queries: Sequence[Lyrics],
    others: Sequence[Lyrics],
    *,
    lexical_weight: float,
    progress: Progress = silent,
) -> dict[str, float]:
    """Recall@1, Recall@10 and mean reciprocal rank of known-item search, as the catalogue is searched.

    Args:
        encoder: the release's encoder.
        queries: songs that are looked for; those too short to be halved are left out. Without any there is no figure.
        others: songs they are looked for among, beside themselves.
        lexical_weight: share of TF-IDF in the score.
        progress: told of the texts embedded.
    """
    halves = [found for found in map(song_halves, queries) if found]
    distractors = [found[0] for found in map(song_halves, others) if found]
    if not halves:
        return {"queries": 0, "songs": len(distractors)}
    embedder, firsts = StanzaEmbedder(encoder), [*(first for first, _ in halves), *distractors]
    vectors, _ = embedder.songs([song_stanzas(first, encoder) for first in firsts], progress=progress)
    wanted, _ = embedder.songs([song_stanzas(second, encoder) for _, second in halves], progress=progress)
    matrix, index = SongMatrix.of([vectors]), LexicalIndex.build(map(lexical_text, firsts))
    ranks = []
    for place, (query, (_, second)) in enumerate(zip(wanted, halves, strict=True)):
        centred = matrix.centred(query, matrix.cosines(query))
        ranks.append(rank_of(hybrid(centred, index.scores(lexical_text(second)), lexical_weight), place))
    return figures(np.array(ranks)) | {"queries": len(halves), "songs": len(firsts)}
