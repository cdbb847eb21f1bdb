"""Sections of lyrics that are cleaned: where each ends, and those written out that the text only refers to."""

from __future__ import annotations

from rhapsody_lib.words.document import is_heading, section_name, sections_go_on

#: Begins a line that refers to a section: no text has this character once it is plain.
AGAIN = "\x00"
#: Sections are no longer written out beyond this many lines.
MAX_LINES = 2000
#: A heading of no section: the stanzas below it are their own.
_NO_SECTION = "[-]"


def _in_sections(lines: list[str]) -> list[str]:
    """The lines with each headed section in one piece: without its blank lines, or ended by `_NO_SECTION`."""
    go_on = sections_go_on("\n".join(line.removeprefix(AGAIN) for line in lines))
    result: list[str] = []
    headed = worded = False
    for line in lines:
        if line.startswith(AGAIN):
            headed = False
        elif is_heading(line):
            headed, worded = section_name(line[1:-1]) is not None, False
        elif line:
            if headed and worded and not result[-1]:
                result.append(_NO_SECTION)
                headed = False
            worded = True
        if line or not headed or not go_on:
            result.append(line)
    return result


def _first_bodies(lines: list[str]) -> dict[str, list[str]]:
    """The lines below the first heading of each name that has any."""
    bodies: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if is_heading(line):
            name = "" if line in bodies else line
        elif line and name and not line.startswith(AGAIN):
            bodies.setdefault(name, []).append(line)
        elif name in bodies or line:
            name = ""
    return bodies


def written_out(lines: list[str]) -> list[str]:
    """The lines with every section in full: headings that stand alone, and references, get those of their section.

    Args:
        lines: of a song, '' between stanzas, headings as `[name]`, references as `AGAIN` and such a heading.
    """
    if not any(is_heading(line.removeprefix(AGAIN)) for line in lines):
        return lines
    lines = _in_sections(lines)
    bodies = _first_bodies(lines)
    result: list[str] = []
    bare, whole = "", False

    def write_out() -> None:
        if bare and len(result) < MAX_LINES:
            result.extend([*bodies.get(bare, []), ""])

    for number, line in enumerate(lines):
        heading = line.removeprefix(AGAIN)
        if is_heading(heading):
            write_out()
            body, following = bodies.get(heading), next(filter(None, lines[number + 1 : number + 4]), "")
            # Below some references the section is written all the same.
            bare, whole = heading, heading != line and body is not None and following != body[0]
        elif line:
            if whole:
                write_out()
                result.append(_NO_SECTION)
            bare, whole = "", False
        result.append(heading)
    write_out()
    return result
