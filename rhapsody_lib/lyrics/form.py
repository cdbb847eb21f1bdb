"""The form of a song to be written: which sections, how many lines of what length, which lines rhyme."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rhapsody_lib.errors import InputError
from rhapsody_lib.words.document import section_kind

LINES_PER_SECTION = 4
#: What a form may name. Verses are numbered; every other section that returns is sung again.
SECTIONS = ("verse", "pre-chorus", "chorus", "refrain", "bridge", "outro")
#: Limits of a form that is asked for.
MOST_SECTIONS, MOST_LINES = 24, 120
_NAME = re.compile(r"((?:pre|post)[- ]?chorus|[^\W\d]+)\s*(\d{0,2})", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;/|+>-]*")
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
#: Rhyme schemes by number of lines, the usual ones more than once; a letter that stands once does not rhyme.
SCHEMES = {
    1: ("A",),
    2: ("AA",),
    3: ("AAA", "ABA"),
    4: ("AABB", "ABAB", "AABB", "ABAB", "ABCB"),
    5: ("ABABB", "AABBA"),
    6: ("AABBCC", "ABABCC"),
    7: ("ABABBCC", "AABBCCC"),
    8: ("ABCBDEFE", "AABBCCDD", "ABABCDCD"),
}


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


def parse_form(text: str) -> tuple[str, ...]:
    """Names of sections, as `verse chorus verse chorus bridge chorus`; none for an empty text.

    Verses without a number are numbered in turn. A numbered verse that returns is sung again, as all other sections
    are. Names may be parted by commas or dashes; a post-chorus is a refrain, a hook a chorus.

    Raises:
        InputError: a name is not one of `SECTIONS`, or there are too many.
    """
    names, position, text = [], 0, text.strip()
    while position < len(text):
        match = _NAME.match(text, position)
        kind = section_kind(match.group(1)) if match else ""
        if match is None or kind not in SECTIONS:
            wrong = match.group(1) if match else text[position : position + 20]
            raise InputError(
                f"The form has '{wrong}', which is no section. Use {', '.join(SECTIONS)}, for example "
                "'verse chorus verse chorus bridge chorus'."
            )
        names.append(f"{kind} {int(match.group(2))}" if match.group(2) else kind)
        position = match.end()
        between = _BETWEEN.match(text, position)
        position = between.end() if between else position
    if len(names) > MOST_SECTIONS:
        raise InputError(f"The form has {len(names)} sections; at most {MOST_SECTIONS} make a song. Shorten it.")
    return tuple(_numbered(names))


def check_form(text: str, lines_per_section: int) -> None:
    """Whether a song of this form can be asked for.

    Raises:
        InputError: a name is no section, or there are too many sections or lines.
    """
    lines = len(parse_form(text)) * lines_per_section
    if lines > MOST_LINES:
        raise InputError(f"The form has {lines} lines; at most {MOST_LINES} make a song. Shorten it or its sections.")


def _numbered(kinds: Sequence[str]) -> list[str]:
    taken, verses = set(kinds), 0
    names = []
    for kind in kinds:
        if kind == "verse":
            verses += 1
            while f"verse {verses}" in taken:
                verses += 1
        names.append(f"verse {verses}" if kind == "verse" else kind)
    return names


def _kinds(sections: int) -> list[str]:
    longest = max(_FORMS)
    kinds = list(_FORMS[min(max(sections, 1), longest)])
    while len(kinds) < sections:
        kinds.append("verse" if kinds[-1] == "chorus" else "chorus")
    return kinds if kinds[-1] == "chorus" or len(kinds) < 2 else kinds[:-1]


def plan_form(
    prompt_lines: Sequence[str],
    max_lines: int,
    form: Sequence[str] = (),
    lines_per_section: int = LINES_PER_SECTION,
) -> list[PlannedSection]:
    """Sections of so many lines each, which open with the prompt.

    A prompt of more lines than a section has fills verses of its own before the song goes on, unless the form that is
    given opens with as many different sections. Without a form there are
    as many sections as stay within `max_lines`, unless the prompt alone is longer. A form is followed to its end: it
    says itself how long the song is.
    """
    size = lines_per_section
    chunks = [tuple(prompt_lines[start : start + size]) for start in range(0, len(prompt_lines), size)]
    if form:
        names = list(form)
    else:
        room = max_lines - size * (len(chunks) - 1)
        if room < size:
            names = _numbered(["verse"] * len(chunks))
            last = max(len(chunks[-1]), min(room, size))
            sizes = [size] * (len(chunks) - 1) + [last]
            return [PlannedSection(*planned) for planned in zip(names, sizes, chunks, strict=True)]
        names = _numbered(["verse"] * (len(chunks) - 1) + _kinds(room // size))
    given = _opening(names, chunks)
    return [PlannedSection(name, size, lines) for name, lines in zip(names, given, strict=True)]


def _opening(names: list[str], chunks: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The prompt's lines of each section; verses are put before a form whose own sections return too early for them.

    The form's own verses are then numbered on after those.
    """
    if len(set(names[: len(chunks)])) < len(chunks):
        verses = [f"verse {number}" for number in range(1, len(chunks) + 1)]
        names[:] = [*verses, *(_numbered_on(name, len(chunks)) for name in names)]
    return [chunks[index] if index < len(chunks) else () for index in range(len(names))]


def _numbered_on(name: str, verses: int) -> str:
    kind, _, number = name.partition(" ")
    return f"{kind} {int(number) + verses}" if kind == "verse" and number else name


def rhyme_group(scheme: str, line: int) -> list[int]:
    """The lines of a section that rhyme with one of its lines, itself included."""
    return [other for other, letter in enumerate(scheme) if letter == scheme[line]]
