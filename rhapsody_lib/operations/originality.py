"""Music that copies no melody, measured as it is delivered: what is beyond the limit is written anew."""

from __future__ import annotations

import logging
from collections.abc import Callable

from rhapsody_lib.backing.copying import MelodyCopying, MelodyIndex, melody_copying
from rhapsody_lib.music.score import Score
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.words.document import Lyrics

logger = logging.getLogger(__name__)

#: Times that a song is written at most; the phrases that copy are dropped before, so more than one is rare.
MOST_DRAFTS = 4


def write_original(
    write: Callable[[int], Score],
    seed: int,
    *,
    lyrics: Lyrics,
    melodies: MelodyIndex,
    primer: Score | None,
    from_ticks: int = 0,
) -> tuple[Score, MelodyCopying]:
    """The first draft whose melody, words laid on, shares no run beyond the limit; else the one that shares least.

    Phrases are guarded while they are written, but the words change notes, and a phrase that returns meets another
    neighbour: only the whole song tells.

    Args:
        write: makes the music of a seed.
        seed: of the first draft.
        lyrics: words of the song.
        melodies: those that the model has learnt.
        primer: the music that primes the song, if any.
        from_ticks: where the new music begins.

    Returns:
        The music before words are laid on, and what its melody shares once they are. Beyond the limit the log warns.
    """
    drafts: list[tuple[int, Score, MelodyCopying]] = []
    for number in range(MOST_DRAFTS):
        score = write(split_seed(seed, "draft", number) if number else seed)
        found = melody_copying(fit_words(lyrics, score), melodies, primer, from_ticks=from_ticks)
        drafts.append((max(found.longest_run, found.primer_run), score, found))
        if drafts[-1][0] <= found.limit:
            break
    shared, score, found = min(drafts, key=lambda draft: draft[0])
    if shared > found.limit:
        logger.warning(
            "The melody shares %d notes in a row with a training song or its primer; %d may be. None of %d drafts "
            "shared fewer. Try another seed.",
            shared,
            found.limit,
            MOST_DRAFTS,
        )
    return score, found
