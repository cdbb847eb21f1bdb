"""What of a song is embedded: each of its different stanzas, whole; and the one vector that stands for the song."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.words.document import Lyrics

#: Texts that are remembered with their vectors: 20,000 of 384 numbers are 31 MB.
REMEMBERED_TEXTS = 20_000


def split_to_fit(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Pieces of a text that each fit the encoder: halved at the line break, else space, nearest to the middle."""
    text = text.strip()
    if len(text) < 2 or fits(text):
        return [text] if text else []
    middle = len(text) // 2
    for separator in ("\n", " "):
        places = [place for place, letter in enumerate(text) if letter == separator]
        if places:
            middle = min(places, key=lambda place: abs(place - len(text) // 2))
            break
    return split_to_fit(text[:middle], fits) + split_to_fit(text[middle:], fits)


def song_stanzas(lyrics: Lyrics, encoder: Encoder) -> list[tuple[str, str]]:
    """(section name, text) of each different stanza in order; one too long for the encoder stands in pieces.

    A chorus that returns counts once: counted each time it sounds, it drowns the verses.
    """
    names: dict[str, str] = {}
    for section in lyrics.sections:
        # Half of a surrogate pair, which JSON can bring, is no character: an encoder would fail at it.
        text = "\n".join(section.lines).encode("utf-8", "replace").decode()
        for piece in split_to_fit(text, encoder.fits):
            names.setdefault(piece, section.name)
    return [(name, text) for text, name in names.items()]


def lexical_text(lyrics: Lyrics) -> str:
    """The words of a song for TF-IDF: each different section once, without headings."""
    return "\n".join(dict.fromkeys("\n".join(section.lines) for section in lyrics.sections))


def mean_vector(stanza_vectors: Vectors) -> Vectors:
    """The song's vector [dimension]: the mean of its stanzas' [stanzas x dimension], of unit length.

    A song without stanzas has the zero vector, which is similar to nothing.
    """
    if not len(stanza_vectors):
        return np.zeros(stanza_vectors.shape[1], dtype=np.float32)
    mean = stanza_vectors.mean(axis=0)
    length = float(np.linalg.norm(mean))
    return np.asarray(mean / length if length else mean, dtype=np.float32)


class StanzaEmbedder:
    """Embeds texts and remembers the first `REMEMBERED_TEXTS`, so that halves of known songs cost little."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._known: dict[str, Vectors] = {}

    def remember(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Take over the vectors of texts that were embedded before."""
        for text, vector in zip(texts, vectors, strict=True):
            if len(self._known) >= REMEMBERED_TEXTS:
                break
            self._known.setdefault(text, vector)

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> Vectors:
        """Unit vectors [texts x dimension]; a text that stands twice is embedded once."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        vectors = dict(zip(missing, self.encoder.encode(missing, progress=progress), strict=True))
        rows = [vectors[text] if text in vectors else self._known[text] for text in texts]
        self.remember(missing, np.array([vectors[text] for text in missing], dtype=np.float32))
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.encoder.dimension)

    def songs(
        self, songs: Sequence[Sequence[tuple[str, str]]], *, progress: Progress = silent
    ) -> tuple[Vectors, Vectors]:
        """Vectors [songs x dimension] of songs given as stanzas, and those of all stanzas in order."""
        vectors = self.encode([text for stanzas in songs for _, text in stanzas], progress=progress)
        ends = np.cumsum([0, *(len(stanzas) for stanzas in songs)])
        means = [mean_vector(vectors[start:end]) for start, end in itertools.pairwise(ends)]
        return np.array(means, dtype=np.float32).reshape(len(songs), self.encoder.dimension), vectors
