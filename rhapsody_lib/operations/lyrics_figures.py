"""What a release's lyrics model is worth: how well it tells songs that it has not seen, and how it writes.

Everything is measured as it is served, with NumPy; only the notebooks' network, where it is asked for, needs Keras.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics.base import MOST_KNOWN
from rhapsody_lib.lyrics.copying import COPY_WORDS
from rhapsody_lib.lyrics.evaluate import YARDSTICK_ORDER, bits_per_word, measure_heldout
from rhapsody_lib.lyrics.metrics import (
    Distance,
    distances,
    lines_of,
    looped,
    new_pairs,
    overall,
    shuffled,
    text_figures,
    word_pairs,
)
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.overlap import overlaps, summed_up, words_of
from rhapsody_lib.lyrics.streams import read_lyrics
from rhapsody_lib.ngram import KneserNey
from rhapsody_lib.progress import reporter
from rhapsody_lib.seeding import generator, split_seed
from rhapsody_lib.settings import LyricsSettings, SongSettings
from rhapsody_lib.words.archaic import modern_lyrics
from rhapsody_lib.words.document import Lyrics

if TYPE_CHECKING:
    from rhapsody_lib.lyrics.vocabulary import Tokens

GENERATED, HELDOUT, SHUFFLED, LOOPED = "generated", "held-out", "shuffled", "looped"
#: Held-out songs beside other held-out songs: as alike as it gets.
HALVES = "half of held-out by the other half"
#: Held-out songs whose text is measured.
_TEXT_SONGS = 400
#: Training of the notebooks' network: it learns nothing more after few epochs.
_SEED_EPOCHS = 8


@dataclass(frozen=True)
class WrittenSong:
    """A song that the model wrote, unselected, and what it was asked."""

    prompt: str
    seed: int
    title: str
    text: str


@dataclass(frozen=True)
class LyricsFigures:
    """What was measured.

    Args:
        corpus: songs and tokens measured on, and trained on.
        heldout: perplexities per token and bits per word, by the names of `measure_heldout`.
        text: for each set of songs (`GENERATED`, the controls) its distance to held-out songs by each figure.
        overall: one distance for each set.
        copying: what `GENERATED` and `HELDOUT` songs share with the training songs.
        songs: what was written.
    """

    corpus: Mapping[str, int]
    heldout: Mapping[str, float]
    text: Mapping[str, Mapping[str, Distance]]
    overall: Mapping[str, float]
    copying: Mapping[str, Mapping[str, float]]
    songs: Sequence[WrittenSong]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def measure_lyrics(
    store: str, refs: Mapping[str, ArtifactRef], songs: int = 50, *, with_seed_network: bool = False
) -> LyricsFigures:
    """Measure the lyrics model of a release.

    Args:
        store: address of the store.
        refs: of `lyrics` and of the `corpus` that it was trained on.
        songs: how many are written, prompted with the first lines of held-out songs, seeds 0, 1, ...
        with_seed_network: train the notebooks' network too, and measure it on the same tokens.

    Raises:
        InputError: no song is held out.
        DamagedArtifactError: an artifact cannot be read.
        MissingExtraError: the notebooks' network is asked for, and Keras is not installed.
    """
    opened = Store(store)
    corpus, model = opened.fetch(refs["corpus"]), LyricsModel.load(opened.fetch(refs["lyrics"]))
    train = list(read_lyrics(corpus, "train"))
    heldout = [song for song in read_lyrics(corpus, "heldout") if not _is_known(model, song)]
    if not heldout:
        raise InputError(
            "No song of this corpus is held out, or none that the base model has not read: there is nothing to measure "
            "on. Train on more songs."
        )
    streams = [[model.vocabulary.encode_song(song) for song in of] for of in (train, heldout)]
    ngram = KneserNey(YARDSTICK_ORDER).fit((stream.tolist() for stream in streams[0]), len(model.vocabulary))
    told, _ = measure_heldout(model, streams[1], ngram, reporter("Perplexity"))
    if with_seed_network:
        told |= _seed_network(streams[0], streams[1], len(model.vocabulary))
    written = _write(model, heldout, songs)
    lyrics = [lyrics for _, lyrics in written]
    text = _text(heldout[:_TEXT_SONGS], lyrics)
    return LyricsFigures(
        corpus={
            "train_songs": len(train),
            "train_tokens": sum(map(len, streams[0])),
            "heldout_songs": len(heldout),
            "heldout_tokens": sum(map(len, streams[1])),
            "vocabulary": len(model.vocabulary),
        },
        heldout=told,
        text=text,
        overall={name: overall(found) for name, found in text.items()},
        copying=_copying({GENERATED: lyrics, HELDOUT: heldout[:_TEXT_SONGS]}, train),
        songs=[song for song, _ in written],
    )


def _copying(sets: Mapping[str, Sequence[Lyrics]], train: Sequence[Lyrics]) -> dict[str, dict[str, float]]:
    """What each set of songs shares with the training songs."""
    known = {pair for song in train for pair in word_pairs(lines_of(song))}
    found = {}
    for name, songs in sets.items():
        shared = summed_up(overlaps([words_of(song) for song in songs], train))
        found[name] = {**shared, "new_pairs": sum(new_pairs(song, known) for song in songs) / max(len(songs), 1)}
    return found


def _is_known(model: LyricsModel, song: Lyrics) -> bool:
    """Whether the base model that the model started from has read the song, as it is or in the words of today."""
    base = model.copies.base
    if base is None:
        return False
    found = [base.holds(words_of(of), COPY_WORDS) for of in (song, modern_lyrics(song))]
    return max(sum(runs) / max(len(runs), 1) for runs in found) > MOST_KNOWN


def _seed_network(train: Sequence[Tokens], heldout: Sequence[Tokens], vocabulary: int) -> dict[str, float]:
    """The notebooks' network after its best epoch: chosen by these very songs, which flatters it."""
    from rhapsody_lib.lyrics.framework import load_keras
    from rhapsody_lib.lyrics.seed_network import build_seed_network, perplexity, seed_epoch
    from rhapsody_lib.lyrics.sizing import sized
    from rhapsody_lib.lyrics.streams import joined

    progress = reporter("Seed network")
    settings = sized(LyricsSettings(architecture="bilstm-seed"), sum(map(len, train)))
    load_keras().utils.set_random_seed(0)
    network, best = build_seed_network(vocabulary, settings), float("inf")
    for epoch in range(_SEED_EPOCHS):
        seed_epoch(network, joined(train), settings, split_seed(0, "lyrics", "seed-network", epoch))
        found = perplexity(network, joined(heldout), settings)
        progress(epoch + 1, _SEED_EPOCHS, f"perplexity {found:.0f}")
        if found >= best:
            break
        best = found
    progress(_SEED_EPOCHS, _SEED_EPOCHS, f"perplexity {best:.0f}")
    targets = np.concatenate([stream[1:] for stream in heldout])
    bits = bits_per_word(float(np.log(best)) * len(targets), targets)
    return {"heldout_perplexity_bilstm_seed": best, "bits_per_word_bilstm_seed": bits}


def _write(model: LyricsModel, heldout: Sequence[Lyrics], count: int) -> list[tuple[WrittenSong, Lyrics]]:
    """Songs as `rhapsody song` writes them by default, from the first lines of held-out songs in turn."""
    from rhapsody_lib.lyrics.decoder import write_lyrics

    prompts = [" ".join(lines[0]) for lines in map(lines_of, heldout) if lines]
    progress, written = reporter("Writing songs"), []
    for seed in range(count if prompts else 0):
        request = SongSettings(prompt=prompts[seed % len(prompts)], seed=seed)
        lyrics = write_lyrics(
            model,
            request.prompt,
            seed=split_seed(request.seed, "lyrics"),
            candidates=request.candidates,
            temperature=request.temperature,
            max_lines=request.max_lines,
        ).best.lyrics
        written.append((WrittenSong(request.prompt, seed, lyrics.title, lyrics.text()), lyrics))
        progress(seed + 1, count, lyrics.title)
    return written


def _text(heldout: Sequence[Lyrics], written: Sequence[Lyrics]) -> dict[str, dict[str, Distance]]:
    """Distances to held-out songs: of what was written, of the controls, and of held-out songs among themselves."""
    rng, reference = generator(0, "lyrics", "shuffled"), list(map(text_figures, heldout))
    sets = {
        GENERATED: list(map(text_figures, written)),
        HALVES: reference[1::2],
        SHUFFLED: [text_figures(shuffled(song, rng)) for song in heldout],
        LOOPED: [text_figures(looped(song)) for song in heldout],
    }
    return {name: distances(of, reference[::2] if name == HALVES else reference) for name, of in sets.items() if of}
