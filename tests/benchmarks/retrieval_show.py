"""Ten generated lyrics with their five matches and the lines that matched, unselected.

    python -m tests.benchmarks.retrieval_show [--keep FOLDER] [--songs N]

Words and matches as `rhapsody song` makes them, by models of the songbook, profile `fast`; they are trained where the
folder holds none. The prompts are given here, the seeds are 0, 1, 2, ...
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from flows.console import progress
from rhapsody_lib import operations
from rhapsody_lib.operations.generation import open_matcher
from rhapsody_lib.operations.requests import check_request
from rhapsody_lib.release import Release
from rhapsody_lib.settings import load_settings

if TYPE_CHECKING:
    from rhapsody_lib.retrieval.search import Match
    from rhapsody_lib.words.document import Lyrics

PROMPTS = (
    "the sky is blue",
    "I left my heart in the rain",
    "the last train home was empty",
    "dance with me till morning",
    "my mother's kitchen on a Sunday",
    "we were young and had no money",
    "snow is falling on the harbour",
    "don't you ever call me baby",
    "the river knows my name",
    "nobody told me the war was over",
)


def shown(store: str, count: int) -> Iterator[tuple[str, Lyrics, Sequence[Match]]]:
    """Prompt, lyrics and matches of songs."""
    settings = load_settings("fast", [])
    corpus = operations.prepare_corpus(store, settings, ["songbook"])
    encoder = operations.train_encoder(store, settings, corpus)
    refs = {
        "corpus": corpus,
        "encoder": encoder,
        "catalogue": operations.embed_catalogue(store, settings, corpus, encoder),
        "lyrics": operations.train_lyrics(store, settings, corpus),
    }
    release = Release(0, refs, {}, None, "to be looked at", "")
    match = open_matcher(store, release)
    for seed in range(count):
        request = check_request(prompt=PROMPTS[seed % len(PROMPTS)], seed=seed)
        draft = operations.write_lyrics(store, release, request)
        yield request.prompt, draft.best.lyrics, match(draft.best.lyrics, request)


def main() -> None:
    """Print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--songs", type=int, default=len(PROMPTS))
    options = parser.parse_args()
    scratch = nullcontext(str(options.keep)) if options.keep else tempfile.TemporaryDirectory()
    out = Console(highlight=False, soft_wrap=True)
    with scratch as folder, progress():
        for seed, (prompt, lyrics, matches) in enumerate(shown(str(Path(folder) / "store"), options.songs)):
            out.print(f"\n[bold]{seed}: {escape(prompt)}[/]\n{escape(lyrics.text())}")
            for found in matches:
                sure = "-" if found.confidence is None else f"{found.confidence:.2f}"
                out.print(f"  {sure}  {escape(found.title)} (cosine {found.similarity:.2f})")
                if found.closest:
                    out.print(
                        f"        {escape(found.closest.generated_line)} / {escape(found.closest.catalogue_line)}"
                    )


if __name__ == "__main__":
    main()
