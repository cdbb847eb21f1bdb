"""The figures of a lyrics model as a folder: a page of tables, a picture of the distances, every song in full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rhapsody_lib.errors import InputError
from rhapsody_lib.optional import require

if TYPE_CHECKING:
    from rhapsody_lib.operations.lyrics_figures import LyricsFigures

FIGURES_FILE, PAGE_FILE, SONGS_FILE, PICTURE_NAME = "figures.json", "lyrics.md", "songs.md", "distances"
_STYLE = {"font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "rhapsody", "text.parse_math": False}
_COLOURS = ("#1F5FD1", "#8A8F9C", "#C2570C", "#C02B2B")
#: How each model is told of, by the ending of its figures' names.
MODELS: Mapping[str, str] = {
    "": "network alone",
    "_with_cache": "with the song's own words in mind (cache)",
    "_with_mixture": "with cache and 5-gram",
    "_5gram": "modified Kneser-Ney 5-gram",
    "_bilstm_seed": "bilstm-seed, the notebooks' network",
}
Rows = list[tuple[str, ...]]


@contextmanager
def page_folder(folder: Path | None) -> Iterator[None]:
    """Find out before minutes of work whether a page can be written to a folder, which is made; none: there is no page.

    What was made is removed if the work fails.

    Raises:
        InputError: the folder cannot be made.
        MissingExtraError: matplotlib is not installed.
    """
    if folder is None:
        yield
        return
    require("matplotlib")
    made = _made(folder)
    try:
        yield
    except BaseException:
        for each in made:
            with suppress(OSError):  # it is not empty
                each.rmdir()
        raise


def _made(folder: Path) -> list[Path]:
    """The folders that had to be made for a folder to be there, the innermost first."""
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}). Give another folder with --out.") from error
    return missing


def perplexity_rows(figures: LyricsFigures) -> Rows:
    """Name, perplexity per token, that by the 5-gram's, bits per word; a row for each model."""
    yardstick = figures.heldout["heldout_perplexity_5gram"]
    rows: Rows = []
    for ending, name in MODELS.items():
        found = figures.heldout.get(f"heldout_perplexity{ending}")
        if found is not None:
            bits = figures.heldout.get(f"bits_per_word{ending}")
            notes = _notes(figures) if ending == "_5gram" else []
            told = f"{name} ({'; '.join(notes)})" if notes else name
            rows.append((told, f"{found:.1f}", f"{found / yardstick:.3f}", "" if bits is None else f"{bits:.3f}"))
    return rows


def _notes(figures: LyricsFigures) -> list[str]:
    """What the 5-gram has read less than the network."""
    notes = ["has not read the base model's verse"] if figures.from_base else []
    if figures.corpus["5gram_tokens"] < figures.corpus["train_tokens"]:
        notes.append(f"made from {figures.corpus['5gram_tokens']:,} of {figures.corpus['train_tokens']:,} tokens")
    return notes


def footnotes(figures: LyricsFigures) -> list[str]:
    """What is to be known of the perplexities beside their table."""
    corpus = figures.corpus
    notes = [
        f"Told of {corpus['measured_songs']:,} held-out songs ({corpus['measured_tokens']:,} tokens), the same for "
        "all. The network's epoch was chosen on these songs or a part of them, which flatters it a little."
    ]
    if "heldout_perplexity_bilstm_seed" in figures.heldout:
        notes.append("The epoch of bilstm-seed was chosen on exactly these songs.")
    return notes


def distance_rows(figures: LyricsFigures) -> Rows:
    """Name of the figure, its mean over held-out songs, then mean and distance of each set; the last row is overall."""
    sets = list(figures.text)
    rows: Rows = []
    for name in next(iter(figures.text.values())):
        found = [figures.text[of][name] for of in sets]
        rows.append(
            (
                name.replace("_", " "),
                f"{figures.text[sets[-1]][name].reference:.3g}",
                *(f"{distance.mean:.3g} ({distance.wasserstein:.2f})" for distance in found),
            )
        )
    return [*rows, ("all: mean distance", "", *(f"{figures.overall[of]:.2f}" for of in sets))]


def copying_rows(figures: LyricsFigures) -> Rows:
    """Whose songs, their longest shared run (median, longest), shares of shared runs of five and of new word pairs."""
    return [
        (
            whose,
            f"{found['longest_run_median']:g}",
            f"{found['longest_run_max']:g}",
            f"{found['shared_share_mean']:.1%}",
            f"{found['new_pairs']:.1%}",
        )
        for whose, found in figures.copying.items()
        if "longest_run_median" in found
    ]


PERPLEXITY_HEAD = ("held-out songs", "perplexity per token", "by the 5-gram's", "bits per word")
COPYING_HEAD = (
    "words shared with training songs",
    "longest run, median",
    "longest run of all",
    "runs of five shared",
    "new pairs",
)


def distance_head(figures: LyricsFigures) -> tuple[str, ...]:
    """The columns of `distance_rows`."""
    return ("figure", "held-out songs", *figures.text)


def json_text(content: Mapping[str, Any]) -> str:
    """Figures as JSON, which knows no NaN.

    Raises:
        InputError: a figure is no number.
    """
    try:
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        raise InputError(
            "A figure of this lyrics model is no finite number: its training diverged. Measure another release with "
            "--release, or train again with a lower lyrics.learning_rate."
        ) from error


def write_page(figures: LyricsFigures, folder: Path) -> list[Path]:
    """Write `lyrics.md`, `songs.md`, `figures.json`, `distances.png` and `.svg`; the same figures give the same bytes.

    Raises:
        InputError: a figure is no number.
        MissingExtraError: matplotlib is not installed.
    """
    files = {
        FIGURES_FILE: json_text(figures.to_json()).encode(),
        f"{PICTURE_NAME}.png": _picture(figures, "png"),
        f"{PICTURE_NAME}.svg": _picture(figures, "svg"),
        SONGS_FILE: "\n".join(_songs(figures)).encode(),
        PAGE_FILE: "\n".join(_page(figures)).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _page(figures: LyricsFigures) -> Iterator[str]:
    corpus = figures.corpus
    yield "# The lyrics model beside held-out songs\n"
    yield (
        f"Trained on {corpus['train_songs']:,} songs ({corpus['train_tokens']:,} tokens, {corpus['vocabulary']:,} "
        f"different); {corpus['heldout_songs']:,} others are held out ({corpus['heldout_tokens']:,} tokens). What the "
        "figures are is told in Rhapsody's `docs/lyrics.md`.\n"
    )
    yield from _markdown(PERPLEXITY_HEAD, perplexity_rows(figures))
    for note in footnotes(figures):
        yield f"\n{note}"
    yield f"\n{len(figures.songs)} songs were written. Mean of each figure; its distance in brackets (0 is alike).\n"
    yield from _markdown(distance_head(figures), distance_rows(figures))
    yield f"\n![Distances]({PICTURE_NAME}.svg)\n"
    yield from _markdown(COPYING_HEAD, copying_rows(figures))
    yield ""


def _markdown(head: Sequence[str], rows: Rows) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _songs(figures: LyricsFigures) -> Iterator[str]:
    yield "# Every song that was measured\n"
    for song in figures.songs:
        yield f"## {song.title}\n\nPrompt: {song.prompt} (seed {song.seed})\n\n```\n{song.text.strip()}\n```\n"


def _picture(figures: LyricsFigures, kind: str) -> bytes:
    """Bars of the distances, a group for each figure, on a scale that shows the far controls too."""
    import io

    matplotlib = require("matplotlib")
    names, sets = list(next(iter(figures.text.values()))), list(figures.text)
    with matplotlib.rc_context(_STYLE):
        figure = require("matplotlib.figure").Figure(figsize=(9, 0.55 * len(names) + 1.4), facecolor="white")
        axes = figure.subplots()
        for index, (of, colour) in enumerate(zip(sets, _COLOURS, strict=False)):
            values = [figures.text[of][name].wasserstein for name in names]
            places = [place + (index - (len(sets) - 1) / 2) * 0.2 for place in range(len(names))]
            axes.barh(places, values, height=0.18, color=colour, label=of)
        axes.set_xscale("symlog", linthresh=1)
        ticks = [0, 0.5, 1, 2, 5, 10, 20, 50]
        farthest = max(distance.wasserstein for found in figures.text.values() for distance in found.values())
        shown = [tick for tick in ticks if tick <= max(farthest, 1)]
        axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
        axes.minorticks_off()
        axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        axes.invert_yaxis()
        axes.set_xlabel("distance to held-out songs, in units of their spread (log scale beyond 1)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(sets), frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        buffer = io.BytesIO()
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=100, metadata=metadata)
    return buffer.getvalue()
