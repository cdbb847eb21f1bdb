"""A source file: a TOML file that names the folders of corpora, and which of their songs are kept.

`EXAMPLE` shows all of it. Paths are relative to the file; `~` is the user's home.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rhapsody_lib.errors import InputError
from rhapsody_lib.settings import CorpusSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUFFIX = ".toml"
MAX_BYTES = 1 << 20
REMEDY = "'rhapsody sources --example' prints a source file, docs/data-card.md says what stands in one."
EXAMPLE = """\
# What is read, in this order: where songs repeat one another, the first stays.
# Paths are relative to this file; ~ is your home folder.

[[source]]
corpus = "lakh"                  # the Lakh tree; any of these parts, lpd or midi at least
lpd = "~/data/lpd_5_cleansed"
midi = "~/data/lmd_matched"
match_scores = "~/data/match_scores.json"
cleansed_ids = "~/data/cleansed_ids.txt"
midi_info = "~/data/midi_info.json"
metadata = "~/data/track_metadata.db"
genres = "~/data/msd_tagtraum_cd1.cls"
lyrics = "~/data/matched_lyrics.csv"
# folder = "~/data/lakh"         # or all of them in one folder, found by their names

[[source]]
corpus = "kaggle"
folder = "~/data/kaggle"         # lyrics-data.csv and artists-data.csv

[[source]]
corpus = "folder"                # lead sheets, MIDI with words, karaoke, tables, ABC, texts
folder = "my-songs"
name = "mine"                    # what the tables call it; the folder's name if left out

[[source]]
corpus = "songbook"              # the songs that come with Rhapsody

# Which songs are kept, of all sources. Leave out what does not matter. A setting that is not its default
# (--set corpus.language=de; en is the default) is stronger.
[keep]
language = "en"                  # or "any"
# artists = ["The Beatles", "ABBA"]
# genres = ["Pop_Rock", "Folk"]
# years = [1960, 1979]
# instrumentals = true           # music without words, which the backing alone trains on
"""

Kind = Literal["songbook", "folder", "kaggle", "lakh"]


@dataclass(frozen=True)
class SourceSpec:
    """One source of a source file, its paths absolute.

    `folders` has the paths by key: `folder` of any kind but the songbook, `lyrics` and `artists` of `kaggle`, and of
    `lakh` the parts that are named one by one (`LakhTable`). `name` is '' where the file gives none.
    """

    kind: Kind
    name: str
    folders: Mapping[str, Path]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_min_length=1)

    name: str = Field("", max_length=80)


class SongbookTable(_Table):
    """The songbook in the package."""

    corpus: Literal["songbook"]


class FolderTable(_Table):
    """A folder or a file of songs."""

    corpus: Literal["folder"]
    folder: str


class KaggleTable(_Table):
    """A table of lyrics and its artists: in one folder, or named one by one."""

    corpus: Literal["kaggle"]
    folder: str | None = None
    lyrics: str | None = None
    artists: str | None = None


class LakhTable(_Table):
    """Piano rolls, MIDI files and what is known of them: in one folder, or named one by one."""

    corpus: Literal["lakh"]
    folder: str | None = None
    lpd: str | None = None
    midi: str | None = None
    match_scores: str | None = None
    cleansed_ids: str | None = None
    midi_info: str | None = None
    metadata: str | None = None
    genres: str | None = None
    lyrics: str | None = None


#: A source must name one of these keys.
_NEEDED: Mapping[str, tuple[str, ...]] = {"kaggle": ("folder", "lyrics"), "lakh": ("folder", "lpd", "midi")}
_TABLES: Mapping[str, type[_Table]] = {
    "songbook": SongbookTable, "folder": FolderTable, "kaggle": KaggleTable, "lakh": LakhTable,
}  # fmt: skip


class Keep(BaseModel):
    """Which songs are kept; none of a key: as the settings have it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str | None = Field(None, pattern="^([a-z]{2}|any)$")
    artists: tuple[str, ...] | None = None
    genres: tuple[str, ...] | None = None
    years: tuple[int, int] | None = None
    instrumentals: bool | None = None


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: tuple[
        Annotated[SongbookTable | FolderTable | KaggleTable | LakhTable, Field(discriminator="corpus")], ...
    ] = ()
    keep: Keep = Keep()


def is_source_file(text: str) -> bool:
    """Whether a source that a user names is a source file, by its suffix."""
    return text.lower().endswith(SUFFIX)


def _refusal(path: Path, what: str) -> InputError:
    return InputError(f"Source file '{path}': {what}. {REMEDY}")


def _load(path: Path) -> _File:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _refusal(path, f"is larger than {MAX_BYTES >> 20} MB")
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        found = _File.model_validate(values)
    except FileNotFoundError as error:
        raise _refusal(path, "does not exist") from error
    except OSError as error:
        raise _refusal(path, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _refusal(path, "is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise _refusal(path, f"is not valid TOML ({error})") from error
    except ValidationError as error:
        raise _refusal(path, "; ".join(_complaint(dict(item)) for item in error.errors())) from error
    if not found.source:
        raise _refusal(path, "names no source: there is no [[source]] in it")
    return found


def _complaint(item: Mapping[str, Any]) -> str:
    """What is wrong with one key, as a person would say it."""
    where = _place(item["loc"])
    if item["type"] == "extra_forbidden":
        known = _keys_at(item["loc"])
        return f"{where} is no key that is known" + (f" (known are {', '.join(known)})" if known else "")
    if item["type"] in {"union_tag_not_found", "union_tag_invalid"}:
        return f"{where}: give corpus = one of {', '.join(map(repr, _TABLES))}"
    if item["type"] == "missing":
        return (
            f"{where} needs two values, the first and the last year" if len(item["loc"]) == 3 else f"{where} is missing"
        )
    if item["type"] == "tuple_type" and item["loc"] == ("source",):
        return "a source is headed by [[source]], in two brackets"
    if item["type"] == "string_pattern_mismatch":
        return f"{where} = {str(item['input'])!r}: is no two-letter code of a language, and not 'any'"
    message = re.sub("^(Input|Value) should", "should", str(item["msg"]))
    return f"{where}: {message}"


def _place(loc: Sequence[int | str]) -> str:
    """`source 2 (lakh): key 'midi'` for the place of a value."""
    parts = list(loc)
    if parts and parts[0] == "source" and len(parts) > 1:
        kind = f" ({parts[2]})" if len(parts) > 2 else ""
        key = f": key '{parts[3]}'" if len(parts) > 3 else ""
        return f"source {int(parts[1]) + 1}{kind}{key}"
    if len(parts) > 1:
        return f"[{parts[0]}] key '{parts[1]}'"
    return f"[[{parts[0]}]]" if parts == ["source"] else f"key '{parts[0]}'"


def _keys_at(loc: Sequence[int | str]) -> tuple[str, ...]:
    model: type[BaseModel] | None = _File
    if loc[0] == "keep":
        model = Keep
    elif loc[0] == "source":
        model = _TABLES.get(str(loc[2])) if len(loc) > 2 else None
    return tuple(model.model_fields) if model is not None else ()


def read_source_file(path: Path) -> list[SourceSpec]:
    """The sources that a source file names, in order, every path there.

    Raises:
        InputError: it cannot be read, holds what is not known, or names a path that does not exist; the message names
            the file, the key and the remedy.
    """
    found = _load(path)
    return [_spec(path, number, table) for number, table in enumerate(found.source, start=1)]


def _spec(path: Path, number: int, table: _Table) -> SourceSpec:
    values = {key: value for key, value in table.model_dump().items() if value is not None}
    kind, name = values.pop("corpus"), values.pop("name")
    needed = _NEEDED.get(kind, ())
    if needed and not values.keys() & set(needed):
        raise _refusal(path, f"source {number} ({kind}): needs one of the keys {', '.join(map(repr, needed))}")
    if kind == "kaggle" and "folder" in values and len(values) > 1:
        what = f"source {number} ({kind}): the key 'folder' stands for all tables in it"
        raise _refusal(path, f"{what}; leave it out, or leave out 'lyrics' and 'artists'")
    return SourceSpec(kind, name, dict(_existing(path, f"source {number} ({kind})", values)))


def _existing(path: Path, where: str, values: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    for key, text in values.items():
        try:
            named = (path.resolve().parent / Path(text).expanduser()).resolve()
            there = named.exists()
        except (OSError, RuntimeError, ValueError) as error:  # no such home, a NUL in the name
            raise _refusal(
                path, f"{where}: key '{key}' names '{text}', which is no path ({str(error).rstrip('.')})"
            ) from error
        if not there:
            raise _refusal(path, f"{where}: key '{key}' names '{named}', which does not exist")
        yield key, named


def read_keep(path: Path) -> dict[str, Any]:
    """What a source file says of the songs to keep, by the name of the corpus setting.

    Raises:
        InputError: it cannot be read, or holds what is not known.
    """
    return _load(path).keep.model_dump(exclude_none=True)


def with_choices(settings: CorpusSettings, sources: Sequence[str]) -> CorpusSettings:
    """The settings with what the source files among the sources keep; a setting that is not its default is stronger.

    Raises:
        InputError: a source file cannot be read, two of them keep different songs, or keep none.
    """
    chosen: dict[str, Any] = {}
    for path in map(Path, filter(is_source_file, sources)):
        kept = read_keep(path)
        differing = sorted(key for key in chosen.keys() & kept.keys() if chosen[key] != kept[key])
        if differing:
            what = ", ".join(map(repr, differing))
            raise _refusal(path, f"[keep] {what} differs from that of another source file, and a corpus has one")
        chosen |= kept
    defaults = CorpusSettings()
    taken = {key: value for key, value in chosen.items() if getattr(settings, key) == getattr(defaults, key)}
    if not taken:
        return settings
    try:
        return CorpusSettings.model_validate({**settings.model_dump(), **taken})
    except ValidationError as error:
        what = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"[keep] of {', '.join(sources)}: {what}. {REMEDY}") from error
