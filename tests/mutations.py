"""Good files turned into broken ones at random: what a disk, a download or an enemy may do to a corpus."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rhapsody_lib.seeding import split_seed

#: What fields of lengths and counts are overwritten with.
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_MOST_BYTES = 1 << 20

Mutation = Callable[[random.Random, bytes, bytes], bytes]


def _place(dice: random.Random, data: bytes) -> int:
    """Near the start as often as anywhere: there are the headers."""
    return dice.randrange(min(len(data), 64) if dice.random() < 0.5 else len(data))


def flip(dice: random.Random, data: bytes, other: bytes) -> bytes:
    """Some bits flipped."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 2, 4, 16, 64))):
        changed[_place(dice, data)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def cut(dice: random.Random, data: bytes, other: bytes) -> bytes:
    """The end, the start or a piece of the middle is missing."""
    first, last = sorted((_place(dice, data), dice.randrange(len(data))))
    return dice.choice((data[:last], data[last:], data[:first] + data[last:]))


def splice(dice: random.Random, data: bytes, other: bytes) -> bytes:
    """The start of one file and the end of another."""
    return data[: _place(dice, data)] + other[dice.randrange(len(other)) :]


def stuff(dice: random.Random, data: bytes, other: bytes) -> bytes:
    """Random bytes, zeros or a copy of a piece of the file put in."""
    first, length = _place(dice, data), dice.choice((1, 4, 64, 4096))
    piece = dice.choice((dice.randbytes(length), bytes(length), data[first : first + length] * dice.choice((1, 20))))
    return data[:first] + piece + data[first:]


def resize(dice: random.Random, data: bytes, other: bytes) -> bytes:
    """A field of 1, 2 or 4 bytes, such as a length, with an extreme value."""
    first, width = _place(dice, data), dice.choice((1, 2, 4))
    value = dice.choice(_EXTREMES) & ((1 << 8 * width) - 1)
    return data[:first] + value.to_bytes(width, dice.choice(("big", "little"))) + data[first + width :]


_PLAIN: tuple[Mutation, ...] = (flip, cut, splice, stuff, resize)


def inside(dice: random.Random, data: bytes, other: bytes) -> bytes:
    """One member of a good zip file changed and packed again, so that its checksum holds."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = dice.choice(list(members))
    if members[name]:
        members[name] = dice.choice(_PLAIN)(dice, members[name], other)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def write_mutated(folder: Path, good: Sequence[Path], count: int, *, seed: int) -> list[str]:
    """Write mutated files into a folder, named by number with the suffix of the file that each was made of.

    Args:
        folder: made if missing.
        good: files to start from, taken in turn; not empty.
        count: how many to write.
        seed: of the mutations; the same files and seed give the same bytes.

    Returns:
        The names of the files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents, names = [path.read_bytes() for path in good], []
    for number in range(count):
        dice = random.Random(split_seed(seed, "mutation", number))
        data = contents[number % len(good)]
        packed = zipfile.is_zipfile(io.BytesIO(data)) and dice.random() < 0.5
        for mutate in (inside,) if packed else dice.choices(_PLAIN, k=dice.choice((1, 1, 2, 4))):
            if data:
                data = mutate(dice, data, dice.choice(contents))[:_MOST_BYTES]
        names.append(f"{number:04d}{good[number % len(good)].suffix}")
        (folder / names[-1]).write_bytes(data)
    return names
