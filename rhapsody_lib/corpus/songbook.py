"""The songbook format: one plain text file a song, with chords, form and words. Reading and checking only.

A file has header lines (`title: ...`), a blank line, then sections: a name in brackets, chord lines that start with
`|`, lyric lines. The bars of a section divide evenly over its lyric lines. A section without chords takes those of the
first section of its kind.
`python -m rhapsody_lib.corpus.songbook check FOLDER` prints what is wrong, file by file.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.chords import ChordSymbol, Key, parse_chord, parse_key

STYLES = (
    "ballad", "blues", "bossa", "country", "disco", "folk", "funk", "gospel", "lullaby", "pop", "reggae", "rock",
    "sea-song", "soul", "swing", "waltz",
)  # fmt: skip
METRES = {"4/4": (4, 4), "3/4": (3, 4), "6/8": (6, 8)}
SECTION_KINDS = ("verse", "chorus", "bridge", "pre-chorus", "outro", "refrain")
_HEADER_KEYS = ("title", "style", "mood", "key", "metre", "tempo", "form")
_SECTION = re.compile(r"^\[([a-z-]+)(?: (\d))?\]$")
MAX_FILE_BYTES = 64_000


@dataclass(frozen=True)
class SongbookSection:
    """One section: `bars` holds the chords of each bar; each line of words spans `bars_per_line` bars."""

    name: str
    bars: tuple[tuple[ChordSymbol, ...], ...]
    lines: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name without its number: `verse 2` is a `verse`."""
        return self.name.split(" ")[0]

    @property
    def bars_per_line(self) -> int:
        """Bars that one lyric line spans."""
        return len(self.bars) // len(self.lines)


@dataclass(frozen=True)
class SongbookSong:
    """A song as read. `tempo_bpm` counts felt beats: dotted quarters in 6/8, quarters elsewhere."""

    slug: str
    title: str
    style: str
    mood: str
    key: Key
    metre: tuple[int, int]
    tempo_bpm: int
    intro_bars: int
    form: tuple[str, ...]
    sections: dict[str, SongbookSection]

    @property
    def words(self) -> int:
        """Words written in the file, each section once."""
        return sum(len(line.split()) for section in self.sections.values() for line in section.lines)


def _fail(path: Path, detail: str) -> UnreadableFileError:
    return UnreadableFileError(str(path), "bad_songbook", detail, "The format is described in docs/songbook.md.")


def _split_file(path: Path) -> tuple[dict[str, str], list[tuple[str, list[str], list[str]]]]:
    """Header, then (section name, chord lines, lyric lines) in file order."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise _fail(path, f"is larger than {MAX_FILE_BYTES} bytes.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _fail(path, f"is not UTF-8 text ({error.reason}).") from error
    header: dict[str, str] = {}
    sections: list[tuple[str, list[str], list[str]]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line:
            continue
        if line.startswith("["):
            match = _SECTION.match(line)
            if match is None or match.group(1) not in SECTION_KINDS:
                raise _fail(path, f"line {number}: '{line}' is not a section such as [verse 1].")
            sections.append((line[1:-1], [], []))
        elif sections:
            _, chord_lines, lyric_lines = sections[-1]
            (chord_lines if line.startswith("|") else lyric_lines).append(line)
        elif ":" in line:
            name, _, value = line.partition(":")
            header[name.strip().lower()] = value.strip()
        else:
            raise _fail(path, f"line {number}: '{line}' stands before the first section and is no header.")
    return header, sections


def _bars(path: Path, name: str, chord_lines: list[str], beats: int) -> tuple[tuple[ChordSymbol, ...], ...]:
    bars = []
    for line in chord_lines:
        for cell in line.strip("|").split("|"):
            symbols = cell.split()
            if not 1 <= len(symbols) <= beats:
                raise _fail(path, f"[{name}]: a bar with {len(symbols)} chords ('{cell.strip()}').")
            try:
                bars.append(tuple(parse_chord(symbol) for symbol in symbols))
            except ValueError as error:
                raise _fail(path, f"[{name}]: {error}.") from error
    return tuple(bars)


def _build_sections(path: Path, raw: list[tuple[str, list[str], list[str]]], beats: int) -> dict[str, SongbookSection]:
    sections: dict[str, SongbookSection] = {}
    chords_of_kind: dict[str, tuple[tuple[ChordSymbol, ...], ...]] = {}
    for name, chord_lines, lines in raw:
        kind = name.split(" ")[0]
        bars = _bars(path, name, chord_lines, beats) or chords_of_kind.get(kind, ())
        if name in sections:
            raise _fail(path, f"[{name}] is written twice.")
        if not lines or not bars:
            raise _fail(path, f"[{name}] has no {'lines' if bars else 'chords'}.")
        if len(bars) % len(lines) or not 1 <= len(bars) // len(lines) <= 4:
            raise _fail(
                path, f"[{name}]: {len(bars)} bars do not divide over {len(lines)} lines into 1 to 4 bars each."
            )
        chords_of_kind.setdefault(kind, bars)
        sections[name] = SongbookSection(name, bars, tuple(lines))
    return sections


def read_song(path: Path) -> SongbookSong:
    """Read one songbook file.

    Raises:
        UnreadableFileError: the file breaks the format; the message names the line or section.
    """
    header, raw = _split_file(path)
    missing = [key for key in _HEADER_KEYS if not header.get(key)]
    if missing:
        raise _fail(path, f"lacks the header {', '.join(missing)}.")
    if header["metre"] not in METRES:
        raise _fail(path, f"metre '{header['metre']}' is not one of {', '.join(METRES)}.")
    if header["style"] not in STYLES:
        raise _fail(path, f"style '{header['style']}' is not one of {', '.join(STYLES)}.")
    metre = METRES[header["metre"]]
    try:
        key, tempo, intro = parse_key(header["key"]), int(header["tempo"]), int(header.get("intro", "4"))
    except ValueError as error:
        raise _fail(path, f"{error}.") from error
    if not 30 <= tempo <= 260 or not 0 <= intro <= 16:
        raise _fail(path, "tempo must be 30 to 260 beats a minute, intro 0 to 16 bars.")
    sections = _build_sections(path, raw, metre[0])
    form = tuple(name.strip() for name in header["form"].split(","))
    unknown, unused = [n for n in form if n not in sections], [n for n in sections if n not in form]
    if unknown or unused:
        raise _fail(path, f"form and sections differ: {', '.join(unknown + unused)}.")
    return SongbookSong(
        path.stem, header["title"], header["style"], header["mood"], key, metre, tempo, intro, form, sections
    )


def songbook_files(folder: Path) -> Iterator[Path]:
    """Songbook files below `folder`, in a fixed order."""
    yield from sorted(folder.rglob("*.txt"))


def _normalised(line: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", line.lower()))


def check(folder: Path) -> list[str]:
    """Every problem of the songs below `folder`: format, shared lines, too few words. Empty means good."""
    problems: list[str] = []
    owner: dict[str, str] = {}
    for path in songbook_files(folder):
        try:
            song = read_song(path)
        except UnreadableFileError as error:
            problems.append(str(error))
            continue
        if song.words < 120:
            problems.append(f"{path}: only {song.words} words.")
        for section in song.sections.values():
            for line in section.lines:
                if not line.isascii() or re.search(r"[.,;:()\[\]]$", line):
                    problems.append(f"{path}: [{section.name}] line ends in punctuation or is not ASCII: {line}")
                first = owner.setdefault(_normalised(line), path.stem)
                if first != path.stem:
                    problems.append(f"{path}: [{section.name}] line also in {first}: {line}")
    return problems


def main(arguments: list[str]) -> int:
    """`check FOLDER`: print problems and totals; exit 1 if there is any."""
    if len(arguments) != 2 or arguments[0] != "check":
        print("usage: python -m rhapsody_lib.corpus.songbook check FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[1])
    problems = check(folder)
    print("\n".join(problems))
    songs = [read_song(path) for path in songbook_files(folder)] if not problems else []
    print(f"{len(songs)} songs, {sum(song.words for song in songs)} words, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
