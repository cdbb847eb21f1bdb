"""The form of a song to be written: which sections, how many lines, which lines rhyme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LINES_PER_SECTION = 4
#: By number of sections, up to the seventh; longer songs go on in verses and choruses.
_FORMS = {
    1: ("verse",),
    2: ("verse", "chorus"),
    3: ("verse", "verse", "chorus"),
    4: ("verse", "chorus", "verse", "chorus"),
    5: ("verse", "chorus", "verse", "bridge", "chorus"),
    6: ("verse", "chorus", "verse", "chorus", "bridge", "chorus"),
    7: ("verse", "chorus", "verse", "chorus", "bridge", "verse", "chorus"),
}
#: Rhyme schemes of four lines; a letter that stands once does not rhyme.
SCHEMES = ("ABCB", "AABB", "ABAB")


@dataclass(frozen=True)
class PlannedSection:
    """A section in order of performance. `given` are the prompt's lines in it; `lines` counts those too."""

    name: str
    lines: int
    given: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The name without its number."""
        return self.name.rstrip("0123456789 ")


def _numbered(kinds: Sequence[str]) -> list[str]:
    verses = 0
    names = []
    for kind in kinds:
        verses += kind == "verse"
        names.append(f"verse {verses}" if kind == "verse" else kind)
    return names


def _kinds(sections: int) -> list[str]:
    longest = max(_FORMS)
    kinds = list(_FORMS[min(max(sections, 1), longest)])
    while len(kinds) < sections:
        kinds.append("verse" if kinds[-1] == "chorus" else "chorus")
    return kinds if kinds[-1] == "chorus" or len(kinds) < 2 else kinds[:-1]


def plan_form(prompt_lines: Sequence[str], max_lines: int, form: Sequence[str] | None = None) -> list[PlannedSection]:
    """Sections of four lines that open with the prompt and stay within `max_lines`, unless the prompt alone is longer.

    A prompt of more than four lines fills verses of its own before the song goes on. A given form is followed as far
    as the lines reach; a section of its name that returns is sung again.
    """
    chunks = [
        tuple(prompt_lines[start : start + LINES_PER_SECTION])
        for start in range(0, len(prompt_lines), LINES_PER_SECTION)
    ]
    room = max_lines - LINES_PER_SECTION * (len(chunks) - 1)
    if room < LINES_PER_SECTION:
        names = _numbered(["verse"] * len(chunks))
        last = max(len(chunks[-1]), min(room, LINES_PER_SECTION))
        sizes = [LINES_PER_SECTION] * (len(chunks) - 1) + [last]
        return [PlannedSection(*planned) for planned in zip(names, sizes, chunks, strict=True)]
    kinds = ["verse"] * (len(chunks) - 1) + _kinds(room // LINES_PER_SECTION)
    names = _numbered(kinds) if not form else list(form)[: max_lines // LINES_PER_SECTION]
    given = _opening(names, chunks)
    return [PlannedSection(name, LINES_PER_SECTION, lines) for name, lines in zip(names, given, strict=True)]


def _opening(names: list[str], chunks: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The prompt's lines of each section; verses are put before a form whose own sections return too early for them."""
    if len(set(names[: len(chunks)])) < len(chunks):
        spare = [f"verse {number}" for number in range(1, len(names) + len(chunks) + 1)]
        free = [name for name in spare if name not in names]
        names[:] = (free[: len(chunks)] + names)[: max(len(names), len(chunks))]
    return [chunks[index] if index < len(chunks) else () for index in range(len(names))]


def rhyme_group(scheme: str, lines: int, line: int) -> list[int]:
    """The lines of a section that rhyme with one of its lines, itself included; a longer section repeats the scheme."""
    size = len(scheme)
    start = line - line % size
    return [other for other in range(start, min(start + size, lines)) if scheme[other - start] == scheme[line - start]]
