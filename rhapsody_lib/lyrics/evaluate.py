"""How well a trained lyrics model tells songs that it has not seen, in a figure that releases can be compared by.

Perplexity is per word: everything that the model has to tell of a song (words, line ends, section marks) by its number
of words. Vocabularies differ, so a word that a model does not know is charged as one of `UNKNOWN_WORDS` equally likely
words; else a smaller vocabulary would look better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rhapsody_lib.lyrics.model import CACHE_SHARE, Floats, LyricsModel
from rhapsody_lib.lyrics.vocabulary import MARKS, UNKNOWN_ID, Tokens
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.tokens import tokenize_line

#: About the number of word forms in a large dictionary of English lyrics.
UNKNOWN_WORDS = 50_000
#: Songs read side by side, and tokens of a song that are read at most: both bound memory.
_BATCH_SONGS, _SONG_TOKENS = 32, 1000
#: Beyond it, exp is no number.
_LARGEST_NATS = 700.0


def evaluate_lyrics(model: LyricsModel, songs: Sequence[Lyrics]) -> dict[str, float]:
    """Perplexity per word, without and with the cache of the song's own history, and what it was measured on.

    Args:
        model: the model.
        songs: without a word in any there is no perplexity.
    """
    streams = sorted((model.vocabulary.encode_song(song)[:_SONG_TOKENS] for song in songs), key=len)
    plain = cached = 0.0
    words = unknown = 0
    for first in range(0, len(streams), _BATCH_SONGS):
        batch = streams[first : first + _BATCH_SONGS]
        for stream, hidden in zip(batch, _hidden_states(model, batch), strict=True):
            targets = stream[1:]
            missing = int(np.count_nonzero(targets == UNKNOWN_ID))
            charge = missing * float(np.log(UNKNOWN_WORDS))
            plain += charge - float(model.log_probabilities_after(hidden, targets).sum())
            cached += charge - float(model.log_probabilities_after(hidden, targets, cache_share=CACHE_SHARE).sum())
            words += missing + int(np.count_nonzero(targets >= len(MARKS)))
            unknown += missing
    if not words:
        return {"words": 0, "songs": len(streams)}
    return {
        "word_perplexity": float(np.exp(min(plain / words, _LARGEST_NATS))),
        "word_perplexity_with_cache": float(np.exp(min(cached / words, _LARGEST_NATS))),
        "unknown_share": unknown / words,
        "words": words,
        "songs": len(streams),
    }


def _hidden_states(model: LyricsModel, streams: Sequence[Tokens]) -> list[Floats]:
    """The hidden state after each token but the last of each stream, [tokens - 1 x hidden]."""
    longest = max(len(stream) for stream in streams) - 1
    ids = np.zeros((len(streams), longest), dtype=np.int32)
    for row, stream in enumerate(streams):
        ids[row, : len(stream) - 1] = stream[:-1]
    state = model.initial_state(len(streams))
    states = np.empty((longest, len(streams), model.hidden_size), dtype=np.float32)
    for step in range(longest):
        state = model.step(ids[:, step], state)
        states[step] = state[0]
    return [states[: len(stream) - 1, row] for row, stream in enumerate(streams)]


def words_of(song: Lyrics) -> list[str]:
    """The words of a song in the order they are sung."""
    return [token for line in song.lines for token in tokenize_line(line)]


def longest_shared_run(words: Sequence[str], songs: Iterable[Lyrics], *, but_within: Sequence[str] = ()) -> int:
    """Words of the longest run that stands in `words` and in one of the songs.

    Args:
        words: those of a new song.
        songs: songs it may have copied from.
        but_within: a run that is part of these words, such as the prompt, does not count.
    """
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    given = f" {' '.join(but_within)} "
    longest = 0
    for song in songs:
        other = words_of(song)
        before: dict[int, int] = {}
        for word in other:
            # Length of the shared run that ends at each place of `words` and at this word.
            ends = {place: before.get(place - 1, 0) + 1 for place in places.get(word, ())}
            for place, length in ends.items():
                if length > longest and f" {' '.join(words[place - length + 1 : place + 1])} " not in given:
                    longest = length
            before = ends
    return longest
