"""Opens a MusicXML file that a stranger made: .xml, .musicxml or compressed .mxl, as an element tree.

Nothing is extracted to disk, no external entity is fetched, no entity is expanded (defusedxml), and sizes are bounded
before and while data is unpacked.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import defusedxml  # type: ignore[import-untyped]
import defusedxml.ElementTree  # type: ignore[import-untyped]

from rhapsody_lib.errors import UnreadableFileError

MAX_FILE_BYTES = 16 << 20
MAX_MEMBER_BYTES = 32 << 20
#: MusicXML packs at about 30:1; a member that unpacks beyond this is a bomb, unless it is small.
MAX_RATIO = 150
_SMALL_BYTES = 2 << 20
_MAX_MEMBERS = 500
_CONTAINER = "META-INF/container.xml"
_FULL_PATH = re.compile(r"full-path\s*=\s*(?:\"([^\"]{1,500})\"|'([^<>\"]{1,500}?)'\s*(?:/?>|media-type))")
_SCORE_SUFFIXES = {".xml", ".musicxml"}


def _bad(name: str, detail: str) -> UnreadableFileError:
    return UnreadableFileError(name, "bad_musicxml", detail, "Export it again from a score editor.")


def _too_large(name: str, detail: str) -> UnreadableFileError:
    return UnreadableFileError(name, "too_large", detail, "Is it one song?")


def parse_xml(data: bytes, name: str) -> Any:
    """The root element of untrusted XML.

    Raises:
        UnreadableFileError: `bad_musicxml`: not well-formed, or it declares entities.
    """
    try:
        return defusedxml.ElementTree.fromstring(data, forbid_entities=True, forbid_external=True)
    except defusedxml.DefusedXmlException as error:
        raise _bad(name, f"declares entities, which is refused ({type(error).__name__}).") from error
    except (ParseError, ValueError, LookupError, UnicodeError) as error:
        raise _bad(name, f"is not well-formed XML ({error}).") from error


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    """A member's bytes; the header's size is a claim, so reading stops at the limit whatever it says."""
    limit = min(MAX_MEMBER_BYTES, max(_SMALL_BYTES, info.compress_size * MAX_RATIO))
    if info.file_size > limit:
        raise _too_large(name, f"unpacks to {info.file_size:,} bytes.")
    with archive.open(info) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise _too_large(name, f"unpacks to more than {limit:,} bytes.")
    return data


def _named_by_container(archive: zipfile.ZipFile, name: str) -> str:
    """The score's member name that the container states; '' if it states none. It is often not well-formed."""
    try:
        text = _unpacked(archive, archive.getinfo(_CONTAINER), name).decode("utf-8", "replace")
    except KeyError:
        return ""
    match = _FULL_PATH.search(text)
    return (match.group(1) or match.group(2)).replace("&apos;", "'").replace("&amp;", "&") if match else ""


def _score_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = archive.infolist()
    if len(members) > _MAX_MEMBERS:
        raise _too_large(name, f"is an archive of {len(members)} files.")
    stated = _named_by_container(archive, name)
    for member in [stated, *(info.filename for info in members)]:
        if member.startswith(("/", "\\")) or ".." in PurePosixPath(member.replace("\\", "/")).parts:
            raise _bad(name, "names a file outside its archive, which is refused.")
    scores = [
        info
        for info in members
        if PurePosixPath(info.filename).suffix.lower() in _SCORE_SUFFIXES and not info.filename.startswith("META-INF")
    ]
    # Where names do not match (other character sets, apostrophes cut off) there is one score to take all the same.
    chosen = next((info for info in members if info.filename == stated), scores[0] if scores else None)
    if chosen is None:
        raise _bad(name, "is an archive without a score.")
    return chosen


def _from_archive(data: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _unpacked(archive, _score_member(archive, name), name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise _bad(name, f"is a damaged archive ({error}).") from error


def load_musicxml(path: Path, name: str) -> Element:
    """The `score-partwise` or `score-timewise` element of a file.

    Args:
        path: the file.
        name: what messages call it.

    Raises:
        UnreadableFileError: `too_large` or `bad_musicxml`.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise _too_large(name, f"has {size:,} bytes; {MAX_FILE_BYTES:,} are allowed.")
    data = path.read_bytes()
    if not data.strip(b"\0 \r\n\t"):
        raise _bad(name, "is empty.")
    if data.startswith(b"PK"):
        data = _from_archive(data, name)
    root: Element = parse_xml(data, name)
    if root.tag not in {"score-partwise", "score-timewise"}:
        raise _bad(name, f"holds <{root.tag[:40]}>, not a score.")
    return root
