"""Arrays of a stranger's `.npz` file: checked before anything is unpacked, never unpickled, never larger than stated.

`numpy.load` allocates whatever shape a header names; here an array is taken only if its bytes are there.
"""

from __future__ import annotations

import io
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.errors import UnreadableFileError

MAX_MEMBERS = 10_000
#: What all members that are asked for may unpack to, and what one of them may hold: a song has some 100,000 cells.
MAX_UNPACKED_BYTES = 64 << 20
MAX_ITEMS = 1_000_000
_MAX_HEADER_BYTES = 10_000
_HEADERS: dict[tuple[int, int], Callable[..., tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_BROKEN = (
    OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError,
    struct.error, zipfile.BadZipFile,
)  # fmt: skip


class NpzFile:
    """The members of an `.npz` file, unpacked one by one.

    Args:
        data: the file's bytes.
        name: what messages call the file.

    Raises:
        UnreadableFileError: `bad_npz` if it is no such archive, `too_large` if it has too many members. So do the
            methods.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._name, self._left = name, MAX_UNPACKED_BYTES
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except _BROKEN as error:
            raise self.refusal(f"is not an npz archive ({error}).") from error
        members = self._archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise UnreadableFileError(name, "too_large", f"has more than {MAX_MEMBERS:,} members.")
        self._members = {member.filename: member for member in members}

    def refusal(self, detail: str) -> UnreadableFileError:
        """The error `bad_npz` with a detail."""
        return UnreadableFileError(self._name, "bad_npz", detail, "Unpack it from its archive again.")

    def __contains__(self, member: str) -> bool:
        return member in self._members

    def read(self, member: str, most_bytes: int = 8 * MAX_ITEMS + _MAX_HEADER_BYTES) -> bytes:
        """The bytes of a member."""
        if member not in self._members:
            raise self.refusal(f"has no {member}.")
        entry = self._members[member]
        self._left -= entry.file_size
        if self._left < 0 or entry.file_size > most_bytes:
            raise UnreadableFileError(self._name, "too_large", f"has a {member} of {entry.file_size:,} bytes.")
        try:
            return self._archive.read(entry)
        except _BROKEN as error:
            raise self.refusal(f"has a damaged {member} ({error}).") from error

    def array(self, key: str) -> npt.NDArray[Any]:
        """An array of booleans, integers or floats by its key; it is read-only."""
        data = self.read(f"{key}.npy")
        stream = io.BytesIO(data)
        try:
            read_header = _HEADERS[np.lib.format.read_magic(stream)]
            shape, fortran, dtype = read_header(stream)
        except (*_BROKEN, SyntaxError, TokenError, TypeError, RecursionError) as error:
            raise self.refusal(f"has no array in {key}.npy.") from error
        if dtype.kind not in "biuf" or not dtype.itemsize:
            raise self.refusal(f"has objects in {key}.npy, which are never loaded.")
        start = stream.tell()
        if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize != len(data) - start:
            raise self.refusal(f"says that {key}.npy has shape {shape}, which it has not.")
        if math.prod(shape) > MAX_ITEMS:
            raise UnreadableFileError(self._name, "too_large", f"has more than {MAX_ITEMS:,} items in {key}.npy.")
        flat = np.frombuffer(data, dtype, offset=start)
        return flat.reshape(shape, order="F" if fortran else "C")
