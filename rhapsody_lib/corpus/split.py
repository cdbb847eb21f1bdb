"""Train and held-out songs, by hash of a song's group: no song, and no second version of it, sits on both sides."""

from __future__ import annotations

import re
import unicodedata

from rhapsody_lib.seeding import MAX_SEED, split_seed

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
    return f"{bare}\x1f{_normalised(artist)}" if bare else f"\x1f\x1f{song_id}"


def _position(group: str, seed: int) -> float:
    return split_seed(seed, "split", group) / (MAX_SEED + 1)


def split_of(group: str, seed: int, heldout_share: float) -> str:
    """`heldout` for about `heldout_share` of all groups, else `train`; the same group always falls on the same side."""
    return "heldout" if _position(group, seed) < heldout_share else "train"


class Splitter:
    """Splits groups by `split_of`, but leaves neither side empty as long as there are two groups; one is trained on.

    Add every group, then ask. Where all fell into `train`, the group nearest to the border is held out; where all fell
    into `heldout`, the group farthest from it is trained on. Memory does not grow with the groups.
    """

    def __init__(self, seed: int, heldout_share: float) -> None:
        self._seed, self._heldout_share = seed, heldout_share
        self._lowest: tuple[float, str] | None = None
        self._highest: tuple[float, str] | None = None

    def add(self, group: str) -> None:
        """Make a group known."""
        placed = (_position(group, self._seed), group)
        self._lowest = min(self._lowest or placed, placed)
        self._highest = max(self._highest or placed, placed)

    def split(self, group: str) -> str:
        """The side of a group, once all are known."""
        if self._lowest is not None and self._highest is not None:
            if self._lowest == self._highest:
                return "train"
            if self._lowest[0] >= self._heldout_share and group == self._lowest[1]:
                return "heldout"
            if self._highest[0] < self._heldout_share and group == self._highest[1]:
                return "train"
        return split_of(group, self._seed, self._heldout_share)
