"""The lyrics document: a title and named sections of lines, and its plain-text form.

The text form is what the `songs` table, lyrics.txt and the encoder hold: a heading line `[chorus]` before each section,
lines, a blank line between sections. Text as others write it is read too, with headings or without (`parse_lyrics`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

#: What strangers call the sections of a song, as a pattern without case.
SECTION_LABELS = r"intro|verse|(?:pre|post)[- ]?chorus|chorus|bridge|refrain|outro|hook|interlude"
_HEADING = re.compile(r"^\[([^\[\]]{1,40})\]$")
_KNOWN = re.compile(rf"^({SECTION_LABELS}|ending)\b[\s:]*(\d*)", re.IGNORECASE)
#: So many stanzas below the only heading of a text are one section; of more, each is its own.
_MOST_BELOW_ONE_HEADING = 2


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


def section_kind(label: str) -> str:
    """What the project calls a section: a `hook` is a chorus, a `post-chorus` a refrain, `pre chorus` has a hyphen."""
    kind = label.lower()
    if kind.startswith(("pre", "post")) and kind.endswith("chorus"):
        return "pre-chorus" if kind.startswith("pre") else "refrain"
    return "chorus" if kind == "hook" else kind


def section_name(heading: str) -> str | None:
    """The name, such as `verse 2`, that the words of a heading mean; None for words that name no section."""
    match = _KNOWN.match(heading.strip())
    return f"{section_kind(match.group(1))} {match.group(2)}".strip() if match else None


def is_heading(line: str) -> bool:
    """Whether a line of text is a heading, of a section that is known or not."""
    return _HEADING.match(line) is not None


@dataclass(frozen=True)
class _Stanza:
    """Lines without a blank one. `name` is that of the heading above, if any; `opens`: it stands right below it."""

    name: str | None
    opens: bool
    lines: tuple[str, ...]


def _stanzas(text: str) -> list[_Stanza]:
    stanzas: list[_Stanza] = []
    name: str | None = None
    opens = False
    lines: list[str] = []

    def close() -> None:
        nonlocal opens, lines
        if lines:
            stanzas.append(_Stanza(name, opens and name is not None, tuple(lines)))
            opens = False
        lines = []

    for raw in text.splitlines():
        line = " ".join(raw.split())
        match = _HEADING.match(line)
        if match:
            close()
            name, opens = section_name(match.group(1)), True
        elif line:
            lines.append(line)
        else:
            close()
    close()
    return stanzas


def _go_on(stanzas: Sequence[_Stanza]) -> bool:
    """Whether stanzas below a heading's first one belong to its section, too; the rule is that of `parse_lyrics`."""
    headed = [stanza.name for stanza in stanzas if stanza.opens and stanza.name]
    if len(headed) > 1 and any(name.startswith("verse") for name in headed):
        return True
    if not stanzas or not stanzas[0].opens:
        return False
    return len(set(headed)) > 1 or len(stanzas) <= _MOST_BELOW_ONE_HEADING


def sections_go_on(text: str) -> bool:
    """Whether blank lines within the headed sections of a text part nothing, by the rule of `parse_lyrics`."""
    return _go_on(_stanzas(text))


def parse_lyrics(text: str, title: str = "") -> Lyrics:
    """Read plain text with or without headings. Never fails: text without words gives no sections.

    A section goes from its heading to the next one, blank lines and all, in a text that names its sections: one that
    has several headings, a verse's among them, or that opens with a heading and has headings of several names, or that
    is two stanzas below one heading. In any other text a heading names the stanza below it alone: who names only the
    choruses, or only the first verse, does not sing all the rest in them. A heading of unknown words ends a section.

    Stanzas that no heading names are verses, and one that returns word for word is a chorus. Verses without a number
    get the lowest ones in order that no heading has.
    """
    stanzas = _stanzas(text)
    go_on = _go_on(stanzas)
    parts: list[tuple[str | None, list[str]]] = []
    for stanza in stanzas:
        if stanza.opens or stanza.name is None or not go_on:
            parts.append((stanza.name if stanza.opens else None, [*stanza.lines]))
        else:
            parts[-1][1].extend(stanza.lines)
    seen = Counter(tuple(lines) for name, lines in parts if name is None)
    taken, verses = {name for name, _ in parts}, 0
    sections = []
    for heading, lines in parts:
        name = heading or ("chorus" if seen[tuple(lines)] > 1 else "verse")
        if name == "verse":
            verses += 1
            while f"verse {verses}" in taken:
                verses += 1
            name = f"verse {verses}"
        sections.append(LyricSection(name, tuple(lines)))
    return Lyrics(title, tuple(sections))
