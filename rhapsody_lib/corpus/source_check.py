"""Whether a source can be prepared, told in seconds: what it is, what is missing or odd, how many files are read.

Nothing is written. Files are parsed as a preparation does it, in processes of their own with its limits.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from rhapsody_lib.corpus.chosen import asked_for, not_chosen
from rhapsody_lib.corpus.examine import examined
from rhapsody_lib.corpus.folders import files_below
from rhapsody_lib.corpus.found import Found, Job, Reject, one_line
from rhapsody_lib.corpus.lakh.tree import find_tree
from rhapsody_lib.corpus.layout_check import check_layout
from rhapsody_lib.corpus.listing import Source
from rhapsody_lib.corpus.reading import read_jobs
from rhapsody_lib.corpus.records import holds_records
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.source_file import is_source_file, with_choices
from rhapsody_lib.corpus.sources import list_jobs, open_sources
from rhapsody_lib.errors import SourceError
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.settings import CorpusSettings

#: Songs that are looked at of a file of many.
_RECORDS = 200
#: Folders above the one named that may be meant.
_LEVELS_UP = 5
#: Left out for what they say, not for what they are: other settings would keep them.
_BY_SETTINGS = {
    RejectCode.NO_LYRICS.value: "music without words is kept with corpus.instrumentals=true (keep: instrumentals)",
    RejectCode.OTHER_LANGUAGE.value: "corpus.language is the language to keep, or 'any'",
    RejectCode.TOO_SHORT.value: "corpus.min_words is the fewest words of a song",
}
_KINDS = {
    "songbook": "songbook texts",
    "leadsheet": "lead sheets",
    "midi": "MIDI files",
    "npz": "piano rolls",
    "text": "plain texts",
    "table": "tables of lyrics",
    "jsonl": "files of JSON lines",
    "abc": "ABC files",
}


@dataclass(frozen=True)
class Finding:
    """Something that is missing or odd. An `error` makes the source unusable."""

    level: Literal["error", "warning"]
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Checked:
    """What was found out about a source.

    Args:
        name: its name in the tables.
        place: its folder.
        what: what it is.
        facts: what was counted, by name.
        findings: what is missing or odd.
    """

    name: str
    place: str
    what: str
    facts: dict[str, str]
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether it can be prepared."""
        return not any(finding.level == "error" for finding in self.findings)


def check_source(text: str, settings: CorpusSettings, files: int, progress: Progress = silent) -> list[Checked]:
    """Look at what a user names: a folder, a file, a source file with several sources, or `songbook`.

    Args:
        text: as a user names it.
        settings: of a preparation, that is what would be kept.
        files: so many of each kind are read.
        progress: told the sources done.

    Raises:
        InputError: it does not exist, or is a source file that cannot be used.
        MissingExtraError: a package that a kind of file needs is not installed.
    """
    if not is_source_file(text) and Path(text).is_dir() and (above := _tree_above(Path(text).resolve())) is not None:
        what = f"'{text}' is a part of the Lakh corpus in '{above}': it is one folder too deep, or several."
        finding = Finding("error", what, f"Name '{above}', or the folder above it that holds all its parts.")
        return [Checked(Path(text).name, text, "a part of a corpus", {}, (finding,))]
    try:
        sources = open_sources([text])
    except SourceError as error:
        if not Path(text).exists():
            raise
        return [Checked(Path(text).name, text, "no corpus", {}, (Finding("error", str(error)), *_odd_files(text)))]
    chosen, checked = with_choices(settings, [text]), []
    for number, source in enumerate(sources, start=1):
        checked.append(_check(source, chosen, files))
        progress(number, len(sources), source.name)
    return checked


def _tree_above(folder: Path) -> Path | None:
    """The folder of a Lakh corpus that a folder lies within; None where it is none, or is one itself."""
    if find_tree(folder) is not None:
        return None
    for above in islice(folder.parents, _LEVELS_UP):
        if above == Path(above.anchor) or len(above.parts) < 2:
            break
        # Only what is laid out by single letters above it, as `lpd_5_cleansed/A/B`: others are folders of their own.
        if len(folder.relative_to(above).parts[0]) != 1:
            continue
        tree = find_tree(above)
        if tree is not None and any(path == above for path in (*tree.lpd, *tree.midi)):
            return above
    return None


def _odd_files(text: str) -> tuple[Finding, ...]:
    folder = Path(text)
    names = sorted(Path(entry.path) for _, entry in files_below(folder)) if folder.is_dir() else [folder]
    return tuple(Finding(level, what, remedy) for level, what, remedy in check_layout(names, None)[1])


def _check(source: Source, settings: CorpusSettings, files: int) -> Checked:
    facts, odd = check_layout(source.files, source.tree, source.artists)
    findings = [Finding(level, what, remedy) for level, what, remedy in odd]
    try:
        items = list(list_jobs(source, settings))
    except SourceError as error:
        findings.append(Finding("error", str(error)))
        items = []
    jobs = [item for item in items if isinstance(item, Job)]
    facts |= _listed(items, jobs)
    if items and not jobs:
        unasked = any(isinstance(item, Reject) and item.code == RejectCode.NOT_CHOSEN for item in items)
        remedy = f"The reasons are counted above.{f' {_choice(settings)}.' if unasked else ''}"
        findings.append(Finding("error", "No file of it can be read as songs.", remedy))
    for kind in sorted({job.kind for job in jobs}):
        of_kind = [job for job in jobs if job.kind == kind]
        told, found = _sampled(source, of_kind, settings, files)
        facts[_KINDS.get(kind, kind)] = told
        findings.extend(found)
    unusable = [finding for finding in findings if finding.level == "error" and finding.what.startswith("None of")]
    if unusable and len(unusable) < len({job.kind for job in jobs}):  # what the other kinds hold is usable
        findings = [dataclasses.replace(each, level="warning") if each in unusable else each for each in findings]
    what = "a Lakh corpus" if source.tree is not None else "the songbook" if source.embedded else "songs in files"
    return Checked(source.name, str(source.root), what, facts, tuple(findings))


def _listed(items: Sequence[Job | Reject], jobs: Sequence[Job]) -> dict[str, str]:
    """Counts of what would be read and of what would not, and of what is known of it."""
    facts = {}
    known = [job.known for job in jobs if job.known is not None]
    if known:
        for name, count in (
            ("with a title", sum(bool(song.title) for song in known)),
            ("with a genre", sum(bool(song.genres) for song in known)),
            ("with a year", sum(bool(song.year) for song in known)),
            ("with words", sum(bool(song.lyrics) for song in known)),
            ("with true tempo", sum(bool(song.tempo_path or song.tempo_bpm) for song in known)),
        ):
            facts[name] = f"{count:,} of {len(known):,} songs"
    rejects = Counter(item.code.value for item in items if isinstance(item, Reject))
    examples = {item.code.value: item for item in reversed(items) if isinstance(item, Reject)}
    for code, count in rejects.most_common():
        example = examples[code]
        facts[f"not read: {code.replace('_', ' ')}"] = f"{count:,} (such as {example.path}: {example.detail})"
    return facts


def _sampled(source: Source, jobs: Sequence[Job], settings: CorpusSettings, files: int) -> tuple[str, list[Finding]]:
    """What came of some files of one kind, spread over all of them."""
    step = max(1, len(jobs) // files)
    some = list(jobs[::step])[:files]
    kept, left, read = 0, Counter[str](), 0
    example: dict[str, str] = {}
    for item in _songs(source, some, settings):
        read += 1
        told = _told(item, settings)
        if isinstance(told, Reject):
            left[told.code.value] += 1
            example.setdefault(told.code.value, f"{told.path}: {one_line(told.detail)}")
        else:
            kept += 1
    what = "songs" if holds_records(some[0]) else "files"
    reasons = ", ".join(f"{code.replace('_', ' ')} {count}" for code, count in left.most_common())
    told_of = f"{len(jobs):,}; of {read} {what} looked at {kept} would be kept" + (f" ({reasons})" if reasons else "")
    whole = len(some) == len(jobs) and (not holds_records(some[0]) or read < _RECORDS)
    return told_of, list(_judged(jobs[0].kind, read, kept, left, example, _choice(settings), whole))


def _choice(settings: CorpusSettings) -> str:
    return f"{asked_for(settings)} ([keep] of a source file, or --set) decides which songs are kept"


def _told(item: Found | Reject, settings: CorpusSettings) -> Found | Reject:
    """The song as a preparation keeps it, or why it leaves it out."""
    told = examined(item, settings) if isinstance(item, Found) else item
    if isinstance(told, Reject):
        return told
    reason = not_chosen(told.song.artist, told.song.genres, told.song.year, settings)
    return told if reason is None else Reject(told.source, told.path, RejectCode.NOT_CHOSEN, reason)


def _songs(source: Source, jobs: Sequence[Job], settings: CorpusSettings) -> Iterator[Found | Reject]:
    with closing(read_jobs(source, jobs, settings, workers=1)) as found:
        for items in found:
            yield from islice(items, _RECORDS)


def _judged(
    kind: str, read: int, kept: int, left: Counter[str], example: dict[str, str], choice: str, whole: bool
) -> Iterator[Finding]:
    """A finding if few are kept. That songs of a choice are few is meant; they may all be where was not looked."""
    unasked = RejectCode.NOT_CHOSEN.value
    if kept * 2 >= read or (kept and kept * 2 >= read - left[unasked]):
        return
    code, count = left.most_common(1)[0]
    level: Literal["error", "warning"] = "warning" if kept or (code == unasked and not whole) else "error"
    what = f"{'Few' if kept else 'None'} of the {_KINDS.get(kind, kind)} looked at would be kept ({code} {count})"
    remedies = {**_BY_SETTINGS, unasked: choice}
    yield Finding(
        level, f"{what}, such as {example[code].rstrip('.')}.", f"{remedies.get(code, 'docs/data.md says why')}."
    )
