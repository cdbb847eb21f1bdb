"""The size of the network, and how it is fed, where the settings leave them to the corpus."""

from __future__ import annotations

from dataclasses import dataclass

from rhapsody_lib.lyrics.base import BaseModel
from rhapsody_lib.settings import LyricsSettings

#: What a model that starts from a base learns at: a large batch, for each update costs as much as that of a large
#: network does, and less than a fresh network's rate, which would unlearn the base.
_ADAPTING_STREAMS, _ADAPTING_RATE = 64, 2e-3
#: Of a small corpus the batch is smaller, so that a pass has about this many updates.
_ADAPTING_UPDATES, _LEAST_ADAPTING_STREAMS = 20, 4
#: Of `bilstm-seed`, as in the notebooks.
_SEED_RATE = 1e-3


@dataclass(frozen=True)
class _Size:
    tokens: int
    hidden_size: int
    dropout: float
    streams: int
    learning_rate: float


#: By the most tokens of training songs that each suits.
_SIZES = (
    _Size(50_000, 400, 0.6, 8, 3e-3),
    _Size(200_000, 400, 0.5, 16, 4e-3),
    _Size(800_000, 512, 0.4, 32, 3e-3),
    _Size(10**18, 640, 0.25, 64, 2.5e-3),
)


def sized(settings: LyricsSettings, tokens: int, base: BaseModel | None = None) -> LyricsSettings:
    """The settings with a value for everything that they leave to the corpus.

    Args:
        settings: as given.
        tokens: tokens of the training songs.
        base: what the training starts from; its sizes are taken.
    """
    fitting = next(size for size in _SIZES if tokens <= size.tokens)
    default_rate = fitting.learning_rate if settings.architecture == "lstm" else _SEED_RATE
    dropout = fitting.dropout if settings.dropout is None else settings.dropout
    changes: dict[str, int | float] = {
        "hidden_size": settings.hidden_size or fitting.hidden_size,
        "dropout": dropout,
        "streams": settings.streams or fitting.streams,
        "learning_rate": settings.learning_rate or default_rate,
    }
    if base is not None:
        streams = max(_LEAST_ADAPTING_STREAMS, tokens // (_ADAPTING_UPDATES * settings.steps))
        changes |= {"embedding_size": base.embedding_size, "hidden_size": base.hidden_size}
        changes |= {
            "streams": settings.streams or min(_ADAPTING_STREAMS, streams),
            "learning_rate": settings.learning_rate or _ADAPTING_RATE,
        }
    return settings.model_copy(update=changes)
