"""Train and held-out songs, by hash of a song's group: no song, and no second version of it, sits on both sides."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import numpy.typing as npt

from rhapsody_lib.seeding import MAX_SEED, split_seed

#: How the group of a song without a title begins; its id follows.
UNTITLED = "\x1f\x1f"
_BRACKETED = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$")


def _normalised(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(re.findall(r"\w+", letters.replace("'", "").replace("’", "")))


def song_group(title: str, artist: str, song_id: str) -> str:
    """The group of a song: its title without case, accents, punctuation and a bracketed ending, and its artist.

    Versions such as `Blue Sky (live)` fall into the group of `Blue Sky`. A song without a title is a group of its own.
    """
    bare = _normalised(_BRACKETED.sub("", title)) or _normalised(title)
    return f"{bare}\x1f{_normalised(artist)}" if bare else f"{UNTITLED}{song_id}"


def split_position(group: str, seed: int) -> float:
    """Where a group falls in [0, 1]; below the held-out share it is held out."""
    return split_seed(seed, "split", group) / (MAX_SEED + 1)


def split_sides(positions: npt.NDArray[np.float64], heldout_share: float) -> npt.NDArray[np.bool_]:
    """Which songs are held out: about `heldout_share` of all groups, and always the same ones.

    Neither side is left empty as long as there are two groups; one is trained on. Where all fell into `train`, the
    group nearest to the border is held out; where all fell into `heldout`, the farthest from it is trained on.

    Args:
        positions: `split_position` of the group of every song, shape (songs,).
        heldout_share: share of groups.
    """
    heldout: npt.NDArray[np.bool_] = positions < heldout_share
    if len(positions) == 0 or positions.min() == positions.max():
        return np.zeros(len(positions), dtype=bool)
    if not heldout.any():
        heldout = positions == positions.min()
    elif heldout.all():
        heldout = positions < positions.max()
    return heldout
