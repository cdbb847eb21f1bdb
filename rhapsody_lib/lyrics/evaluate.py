"""How well a trained lyrics model tells songs that it has not seen.

Two units. Perplexity per token is that of the model's own stream, beside a 5-gram's on the same tokens; it can be
compared only where the vocabulary is the same. Perplexity, or bits, per word is everything that the model has to tell
of a song (words, line ends, section marks) by its number of words, where a word that a model does not know is charged
as one of `UNKNOWN_WORDS` equally likely words: else a smaller vocabulary would look better.

With the cache, or the mixture with a 5-gram (`lyrics/cache.py`), no song is measured by shares that were fitted on it:
songs are dealt into folds, and each fold is measured by what was fitted on the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.cache import Opinions, opinions
from rhapsody_lib.lyrics.mixture_fit import fit_gates
from rhapsody_lib.lyrics.model import Floats, LyricsModel, softmax
from rhapsody_lib.lyrics.vocabulary import MARKS, UNKNOWN_ID, Tokens
from rhapsody_lib.ngram import KneserNey
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.words.document import Lyrics

#: About the number of word forms in a large dictionary of English lyrics.
UNKNOWN_WORDS = 50_000
#: Order of the n-gram that a network is measured beside, and tokens of training songs that it is made from at most.
YARDSTICK_ORDER, YARDSTICK_TOKENS = 5, 3_000_000
#: Songs read side by side, and tokens of a song that are told at most: both bound memory.
_BATCH_SONGS, _SONG_TOKENS = 32, 1000
#: More held-out tokens than this are thinned out, by whole songs.
_MEASURED_TOKENS = 500_000
_FOLDS = 4
#: Beyond it, exp is no number.
_LARGEST_NATS = 700.0

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """What was told of songs: the opinions on each, and the songs themselves."""

    streams: tuple[Tokens, ...]
    found: tuple[Opinions, ...]

    @property
    def targets(self) -> Tokens:
        """All tokens that were told, one song after another."""
        return np.concatenate([stream[1:] for stream in self.streams])


def measured_streams(streams: Iterable[Tokens]) -> list[Tokens]:
    """What figures are told of, so that those of different models are of the same tokens.

    The first `_SONG_TOKENS` tokens of each song; of too many songs every second, third, ... by length, then content:
    songs side by side are of like length, and the order of the table changes nothing. Once more it changes nothing.

    Args:
        streams: songs in one vocabulary, each int32 [tokens].
    """
    kept = [stream[:_SONG_TOKENS] for stream in streams if len(stream) > 1]
    kept.sort(key=lambda stream: (len(stream), stream.tobytes()))
    while (tokens := sum(map(len, kept))) > _MEASURED_TOKENS and len(kept) > 1:
        kept = kept[:: -(-tokens // _MEASURED_TOKENS)]
    return kept


def measured_counts(streams: Sequence[Tokens]) -> dict[str, int]:
    """How much figures are told of: `measured_songs` and `measured_tokens`, which holds each song's first too.

    Args:
        streams: as `measured_streams` gives them.
    """
    return {"measured_songs": len(streams), "measured_tokens": sum(map(len, streams))}


def tell(
    model: LyricsModel, streams: Sequence[Tokens], ngram: KneserNey | None = None, progress: Progress = silent
) -> Told:
    """What network, cache and 5-gram give the tokens of songs.

    Args:
        model: the model.
        streams: songs in its vocabulary; what `measured_streams` keeps of them is told.
        ngram: fitted on the training songs in the same vocabulary.
        progress: told the songs done.
    """
    kept = measured_streams(streams)
    found: list[Opinions] = []
    for first in range(0, len(kept), _BATCH_SONGS):
        batch = kept[first : first + _BATCH_SONGS]
        for stream, hidden in zip(batch, _hidden_states(model, batch), strict=True):
            network = softmax(model.logits(hidden))[np.arange(len(hidden)), stream[1:]].astype(np.float64)
            counted = np.exp(ngram.log_probabilities(stream.tolist())[1:]) if ngram else None
            found.append(opinions(stream, hidden, network, counted))
        progress(len(found), len(kept), "held-out songs")
    return Told(tuple(kept), tuple(found))


def crossfitted(told: Told, *, with_ngram: bool) -> tuple[Array, Array]:
    """Natural logs of the probability of each token with the cache, and with the 5-gram too where `with_ngram`.

    Each song by shares that were fitted on others; the defaults where there is only one.
    """
    folds = min(_FOLDS, len(told.found))
    cached: list[Array] = [np.zeros(0)] * len(told.found)
    mixed = list(cached)
    for fold in range(folds):
        others = [song for index, song in enumerate(told.found) if index % folds != fold]
        settings = fit_gates(others, with_ngram=with_ngram)
        for index in range(fold, len(told.found), folds):
            cached[index] = _logs(told.found[index].mixed(settings, with_ngram=False))
            mixed[index] = _logs(told.found[index].mixed(settings, with_ngram=True)) if with_ngram else cached[index]
    return np.concatenate(cached), np.concatenate(mixed)


def _logs(probabilities: Array) -> Array:
    return np.asarray(np.log(np.maximum(probabilities, 1e-30)))


def measure_heldout(
    model: LyricsModel, streams: Sequence[Tokens], ngram: KneserNey, progress: Progress = silent
) -> dict[str, float]:
    """Figures on held-out songs.

    Args:
        model: the model.
        streams: songs that neither the model nor `ngram` has learnt, in the model's vocabulary.
        ngram: a 5-gram of the training songs.
        progress: told the songs done.

    Returns:
        `heldout_perplexity` per token of the network alone, `..._with_cache`, `..._with_mixture` (with the 5-gram mixed
        in) and `..._5gram`; `bits_per_word` of the same four; `measured_songs` and `measured_tokens`, on which all of
        them are. Empty where there is no token to tell.
    """
    told = tell(model, streams, ngram, progress)
    if not told.found:
        return {}
    cached, mixed = crossfitted(told, with_ngram=True)
    logs = {
        "": _logs(np.concatenate([song.network for song in told.found])),
        "_with_cache": cached,
        "_with_mixture": mixed,
        "_5gram": _logs(np.concatenate([song.ngram for song in told.found])),
    }
    figures = {f"heldout_perplexity{name}": _perplexity(-float(values.mean())) for name, values in logs.items()}
    figures |= {
        f"bits_per_word{name}": bits_per_word(-float(values.sum()), told.targets) for name, values in logs.items()
    }
    return {**figures, **measured_counts(told.streams)}


def _perplexity(nats: float) -> float:
    return float(np.exp(min(nats, _LARGEST_NATS)))


def _words(targets: Tokens) -> int:
    return int(np.count_nonzero((targets == UNKNOWN_ID) | (targets >= len(MARKS))))


def _nats_per_word(nats: float, targets: Tokens) -> float:
    unknown = int(np.count_nonzero(targets == UNKNOWN_ID))
    return (nats + unknown * float(np.log(UNKNOWN_WORDS))) / max(_words(targets), 1)


def bits_per_word(nats: float, targets: Tokens) -> float:
    """Bits that a model needs to tell songs, by the number of their words.

    Args:
        nats: that it needs for all tokens.
        targets: those tokens.
    """
    return _nats_per_word(nats, targets) / float(np.log(2))


def evaluate_lyrics(model: LyricsModel, songs: Sequence[Lyrics]) -> dict[str, float]:
    """Perplexity per word, without and with the cache of the song's own history, and what it was measured on.

    Args:
        model: the model.
        songs: without a word in any there is no perplexity.
    """
    told = tell(model, [model.vocabulary.encode_song(song) for song in songs])
    words = _words(told.targets) if told.found else 0
    if not words:
        return {"words": 0, "songs": len(songs)}
    plain = _logs(np.concatenate([song.network for song in told.found]))
    cached, _ = crossfitted(told, with_ngram=False)
    return {
        "word_perplexity": _perplexity(_nats_per_word(-float(plain.sum()), told.targets)),
        "word_perplexity_with_cache": _perplexity(_nats_per_word(-float(cached.sum()), told.targets)),
        "unknown_share": float(np.count_nonzero(told.targets == UNKNOWN_ID)) / words,
        "words": words,
        "songs": len(told.found),
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
