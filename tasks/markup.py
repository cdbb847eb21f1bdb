"""Markdown of the run pages. Titles, lyrics and file names come from outside and stay text, whatever they hold."""

from __future__ import annotations

import base64
import string
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import quote, urlsplit

from tasks.charts import data_uri

#: Addresses a browser can open from the page of a run.
_OPENED = frozenset({"http", "https"})
_ESCAPED = frozenset(string.punctuation) - frozenset("',")


def cell(text: str) -> str:
    """Text as one line of markdown that is read as nothing but text.

    All punctuation is escaped but what is never markup, for any list of what is markup would miss some of it (links
    made of bare addresses, say). By backslash: the UI shows character references as they are written.
    """
    line = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in _ESCAPED else letter for letter in line)


def block(text: str) -> str:
    """Lines of text as a block that keeps them as they are."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def opened(address: str) -> str:
    """The address as it may stand in markdown and HTML; empty if a browser cannot open it from the page."""
    if urlsplit(address).scheme not in _OPENED:
        return ""
    # Percent signs stay: what was encoded is not encoded twice.
    return quote(address, safe="%:/?#[]@!$&+,;=~")


def links(addresses: Mapping[str, str]) -> str:
    """Names as links, one line; those that a browser cannot open are left out."""
    found = ((_label(name), opened(address)) for name, address in addresses.items())
    return ", ".join(f"[{label}]({address})" for label, address in found if address)


def _label(text: str) -> str:
    """Text for where the UI shows escapes as they are written: links and pictures. Other signs are left out."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isalnum() or letter in " .-")


def picture(image: bytes, mime: str, alternative: str) -> str:
    """A picture that the page holds itself."""
    return f"![{_label(alternative)}]({data_uri(image, mime)})"


def player(source: str) -> str:
    """An audio player; nothing is fetched before it is played."""
    return f'<audio controls preload="none" src="{escape(source, quote=True)}"></audio>'


def mp3_uri(data: bytes) -> str:
    """An MP3 as an address that holds it."""
    return f"data:audio/mpeg;base64,{base64.b64encode(data).decode()}"
