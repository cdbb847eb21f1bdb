"""The lyrics document: a title and named sections of lines, and its plain-text form.

The text form is what the `songs` table, lyrics.txt and the encoder hold: a heading line `[chorus]` before each section,
lines, a blank line between sections. Text without headings is read too: its stanzas are verses, and a stanza that
returns word for word is a chorus.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_HEADING = re.compile(r"^\[([^\[\]]{1,40})\]$")
_KNOWN = re.compile(
    r"^(intro|verse|chorus|bridge|pre-?chorus|refrain|outro|ending|hook|interlude)\b[\s:]*(\d*)", re.IGNORECASE
)


@dataclass(frozen=True)
class LyricSection:
    """A section: `name` such as `verse 1` or `chorus`, and its lines."""

    name: str
    lines: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name without its number."""
        return self.name.rstrip("0123456789 ")


@dataclass(frozen=True)
class Lyrics:
    """The words of a song in order of performance; a chorus that returns stands again."""

    title: str
    sections: tuple[LyricSection, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines in order, without headings."""
        return tuple(line for section in self.sections for line in section.lines)

    def text(self, *, headings: bool = True) -> str:
        """The plain text, ending in a newline; empty for no sections."""
        blocks = [
            "\n".join(([f"[{section.name}]"] if headings else []) + list(section.lines)) for section in self.sections
        ]
        return "\n\n".join(blocks) + "\n" if blocks else ""


def _section_name(heading: str) -> str | None:
    match = _KNOWN.match(heading.strip())
    if match is None:
        return None
    kind = match.group(1).lower().replace("prechorus", "pre-chorus").replace("hook", "chorus")
    return f"{kind} {match.group(2)}".strip()


def _stanzas(text: str) -> list[tuple[str | None, tuple[str, ...]]]:
    stanzas: list[tuple[str | None, tuple[str, ...]]] = []
    name: str | None = None
    lines: list[str] = []

    def close() -> None:
        nonlocal name, lines
        if lines:
            stanzas.append((name, tuple(lines)))
            name = None
        lines = []

    for raw in text.splitlines():
        line = " ".join(raw.split())
        match = _HEADING.match(line)
        if match:
            close()
            name = _section_name(match.group(1))
        elif line:
            lines.append(line)
        else:
            close()
    close()
    return stanzas


def parse_lyrics(text: str, title: str = "") -> Lyrics:
    """Read plain text with or without headings. Never fails: text without words gives no sections."""
    stanzas = _stanzas(text)
    seen = Counter(lines for name, lines in stanzas if name is None)
    sections, verses = [], 0
    for heading, lines in stanzas:
        name = heading or ("chorus" if seen[lines] > 1 else "verse")
        if name == "verse":
            verses += 1
            name = f"verse {verses}"
        sections.append(LyricSection(name, lines))
    return Lyrics(title, tuple(sections))
