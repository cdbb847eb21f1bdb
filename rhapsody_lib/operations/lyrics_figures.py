"""What a release's lyrics model is worth: how well it tells songs that it has not seen, and how it writes.

Everything is measured as it is served, with NumPy; only the notebooks' network, where it is asked for, needs Keras.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics.base import MOST_KNOWN
from rhapsody_lib.lyrics.copying import share_known
from rhapsody_lib.lyrics.evaluate import (
    YARDSTICK_ORDER,
    YARDSTICK_TOKENS,
    measure_heldout,
    measured_counts,
    measured_streams,
)
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
from rhapsody_lib.lyrics.seed_network import MOST_TOKENS, measure_seed_network
from rhapsody_lib.lyrics.streams import read_lyrics
from rhapsody_lib.ngram import KneserNey
from rhapsody_lib.progress import reporter
from rhapsody_lib.seeding import generator, split_seed
from rhapsody_lib.settings import SongSettings
from rhapsody_lib.words.document import Lyrics

if TYPE_CHECKING:
    from rhapsody_lib.lyrics.vocabulary import Tokens, Vocabulary

GENERATED, HELDOUT, SHUFFLED, LOOPED = "generated", "held-out", "shuffled", "looped"
#: Held-out songs beside other held-out songs: as alike as it gets.
HALVES = "half of held-out by the other half"
#: Held-out songs whose text is measured.
_TEXT_SONGS = 400


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
        corpus: songs and tokens held out, measured on (perplexities), and trained on (`5gram_tokens`: the 5-gram).
        heldout: perplexities per token and bits per word, by the names of `measure_heldout`.
        text: for each set of songs (`GENERATED`, the controls) its distance to held-out songs by each figure.
        overall: one distance for each set.
        copying: what `GENERATED` and `HELDOUT` songs share with the training songs.
        songs: what was written.
        from_base: whether the model started from a base model, whose verse the 5-gram has not read.
    """

    corpus: Mapping[str, int]
    heldout: Mapping[str, float]
    text: Mapping[str, Mapping[str, Distance]]
    overall: Mapping[str, float]
    copying: Mapping[str, Mapping[str, float]]
    songs: Sequence[WrittenSong]
    from_base: bool = False

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
        InputError: no song is held out; or the notebooks' network is asked for and the songs are too many for it, or
            its training diverges.
        DamagedArtifactError: an artifact cannot be read.
        MissingExtraError: the notebooks' network is asked for, and Keras is not installed.
    """
    opened = Store(store)
    corpus, model = opened.fetch(refs["corpus"]), LyricsModel.load(opened.fetch(refs["lyrics"]))
    heldout = [song for song in read_lyrics(corpus, "heldout") if not _is_known(model, song)]
    if not heldout:
        raise InputError(
            "No song of this corpus is held out, or none that the base model has not read: there is nothing to measure "
            "on. Train on more songs."
        )
    streams = [model.vocabulary.encode_song(song) for song in heldout]
    counted, sizes = _counted(corpus, model.vocabulary)
    if with_seed_network:
        _check_size(sizes["train_tokens"])
    ngram = KneserNey(YARDSTICK_ORDER).fit((stream.tolist() for stream in counted), len(model.vocabulary))
    told = measure_heldout(model, streams, ngram, reporter("Perplexity"))
    if with_seed_network:
        told |= measure_seed_network(counted, streams, len(model.vocabulary), reporter("Seed network"))
    written = _write(model, heldout, songs)
    lyrics = [lyrics for _, lyrics in written]
    text = _text(heldout[:_TEXT_SONGS], lyrics)
    return LyricsFigures(
        corpus={
            **sizes,
            "heldout_songs": len(heldout),
            "heldout_tokens": sum(map(len, streams)),
            **measured_counts(measured_streams(streams)),
            "vocabulary": len(model.vocabulary),
        },
        heldout=told,
        text=text,
        overall={name: overall(found) for name, found in text.items()},
        copying=_copying({GENERATED: lyrics, HELDOUT: heldout[:_TEXT_SONGS]}, corpus),
        songs=[song for song, _ in written],
        from_base=model.copies.base is not None,
    )


def _counted(corpus: Path, vocabulary: Vocabulary) -> tuple[list[Tokens], dict[str, int]]:
    """The first training songs, `YARDSTICK_TOKENS` at most, as the training counts them; and how many there are."""
    kept: list[Tokens] = []
    songs = tokens = kept_tokens = 0
    for song in read_lyrics(corpus, "train"):
        stream = vocabulary.encode_song(song)
        songs, tokens = songs + 1, tokens + len(stream)
        if not kept or tokens <= YARDSTICK_TOKENS:
            kept.append(stream)
            kept_tokens = tokens
    return kept, {"train_songs": songs, "train_tokens": tokens, "5gram_tokens": kept_tokens}


def _check_size(tokens: int) -> None:
    if tokens > MOST_TOKENS:
        raise InputError(
            f"--with-seed-network: the training songs hold {tokens:,} tokens, and the notebooks' network is trained on "
            f"{MOST_TOKENS:,} at most, for more takes hours. Measure without it."
        )


def _copying(sets: Mapping[str, Sequence[Lyrics]], corpus: Path) -> dict[str, dict[str, float]]:
    """What each set of songs shares with the training songs."""
    known = {pair for song in read_lyrics(corpus, "train") for pair in word_pairs(lines_of(song))}
    found = {}
    for name, songs in sets.items():
        shared = summed_up(overlaps([words_of(song) for song in songs], read_lyrics(corpus, "train")))
        found[name] = {**shared, "new_pairs": sum(new_pairs(song, known) for song in songs) / max(len(songs), 1)}
    return found


def _is_known(model: LyricsModel, song: Lyrics) -> bool:
    """Whether the base model that the model started from has read the song, as it is or in the words of today."""
    base = model.copies.base
    return base is not None and share_known(base, song) > MOST_KNOWN


def _write(model: LyricsModel, heldout: Sequence[Lyrics], count: int) -> list[tuple[WrittenSong, Lyrics]]:
    """Songs as `rhapsody song` writes them by default, from the first lines of held-out songs in turn."""
    from rhapsody_lib.lyrics.decoder import write_lyrics

    firsts = (" ".join(lines[0]) for lines in map(lines_of, heldout) if lines)
    prompts = [line for line in firsts if any(map(str.isalnum, line))]
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
