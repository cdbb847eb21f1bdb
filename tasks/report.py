"""What a run shows in the Prefect UI: progress as log lines, figures as a table, a song as markdown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.logging import get_run_logger

from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.progress import Progress, reporting
from rhapsody_lib.release import Release, flat_figures

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def logged_progress() -> Iterator[None]:
    """Within the block, progress becomes a log line of the run, at most one in five seconds and one at the end."""
    logger = get_run_logger()

    def factory(what: str) -> Progress:
        last = 0.0

        def report(done: int, total: int, note: str = "") -> None:
            nonlocal last
            now = time.monotonic()
            if done >= total or now - last >= SECONDS_BETWEEN_LINES:
                last = now
                logger.info("%s: %d of %d%s", what, done, total, f", {note}" if note else "")

        return report

    with reporting(factory):
        yield


def report_release(release: Release) -> None:
    """Every held-out figure of a release as a table artifact."""
    rows = [{"figure": name, "value": round(value, 4)} for name, value in flat_figures(release.figures).items()]
    create_table_artifact(
        table=rows,
        key="release-figures",
        description=f"Held-out figures of release {release.number} ({_cell(release.reason)})",
    )


def _cell(text: str) -> str:
    """Text as one line of markdown that is read as nothing but text: titles and lyrics come from outside.

    Whatever is neither letter nor digit becomes a reference, for any list of what is markup would miss some of it
    (links made of bare addresses, say).
    """
    line = " ".join(text.split())
    return "".join(letter if letter.isalnum() or letter in " ,'" else f"&#{ord(letter)};" for letter in line)


def report_song(result: SongResult) -> None:
    """Words, matches and the folder of a song as a markdown artifact."""
    matches = "\n".join(f"| {_cell(match.title)} | {match.similarity:.2f} |" for match in result.matches)
    words = "\n".join(f"    {line}" for line in result.lyrics.splitlines())
    create_markdown_artifact(
        key="song",
        description=f"{_cell(result.title)}, release {result.release}",
        markdown=(
            f"# {_cell(result.title)}\n\n{words}\n\n| Most similar songs | similarity |\n| --- | --- |\n{matches}\n\n"
            f"{result.duration_s:.0f} s of music. Files: {_cell(str(result.folder))}\n"
        ),
    )
