"""The steps of making a song: words, match, music, files. Each reads what it needs from the artifacts of one release.

No step loads TensorFlow or torch: the models are served from exported weights by NumPy and ONNX Runtime.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rhapsody_lib.artifacts import Store
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.plan import SongPlan
from rhapsody_lib.music.score import Score
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.operations.priming import key_or_none, primed_by
from rhapsody_lib.operations.prompt_language import tell_strange_language
from rhapsody_lib.operations.recipes import STAGE_VERSIONS
from rhapsody_lib.progress import reporter
from rhapsody_lib.release import Release
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import SongSettings

if TYPE_CHECKING:
    from rhapsody_lib.lyrics.decoder import LyricsResult
    from rhapsody_lib.retrieval.search import Match
    from rhapsody_lib.words.document import Lyrics

MATCHES_SHOWN = 5


@dataclass(frozen=True)
class Composition:
    """The music to a plan, before the words are laid on it.

    Args:
        plan: its form.
        score: the music.
        primer: what it was primed with.
        copying: what its melody, as it is sung, shares with training songs and the primer, beside held-out songs.
    """

    plan: SongPlan
    score: Score
    primer: str
    copying: Mapping[str, Any]


@dataclass(frozen=True)
class SongResult:
    """What a songwriter is shown: the words, the matches, and where the files are."""

    title: str
    lyrics: str
    matches: Sequence[Match]
    folder: Path
    files: dict[str, Path]
    duration_s: float
    release: int
    scores: Mapping[str, Any] = field(default_factory=dict)


def write_lyrics(store: str, release: Release, request: SongSettings) -> LyricsResult:
    """Write many lyrics that open with the prompt and keep the best."""
    from rhapsody_lib.lyrics import decoder
    from rhapsody_lib.lyrics.form import parse_form
    from rhapsody_lib.lyrics.model import LyricsModel

    tell_strange_language(store, release, request.prompt)
    folder = Store(store).fetch(release.refs["lyrics"])
    written = decoder.write_lyrics(
        LyricsModel.load(folder),
        request.prompt,
        seed=split_seed(request.seed, "lyrics"),
        candidates=request.candidates,
        temperature=request.temperature,
        max_lines=request.max_lines,
        title=request.title,
        form=parse_form(request.form),
        lines_per_section=request.lines_per_section,
        syllables_per_line=request.syllables_per_line,
        words_per_line=request.words_per_line,
        progress=reporter("Writing lyrics"),
    )
    return replace(written, heldout_copying=_heldout_copying(folder))


def _heldout_copying(lyrics: Path) -> dict[str, float]:
    """What held-out songs have in common with the training songs, where it was measured."""
    try:
        found = json.loads((lyrics / "metrics.json").read_text(encoding="utf-8")).get("heldout_copying")
    except (OSError, ValueError):
        return {}
    return dict(found or {})


def open_matcher(
    store: str, release: Release, *, on_ranked: Callable[[list[Match]], None] | None = None, threads: int = 2
) -> Callable[[Lyrics, SongSettings | None], list[Match]]:
    """What finds the songs of the catalogue whose lyrics are most similar, best first: encoder and catalogue loaded.

    Args:
        store: address of the store.
        release: whose encoder and catalogue are used.
        on_ranked: given the matches before their closest lines are known.
        threads: of the encoder; they change speed alone.
    """
    from rhapsody_lib.operations.matching import filters_of
    from rhapsody_lib.retrieval.search import find_matches
    from rhapsody_lib.retrieval.serving import Encoder

    opened = Store(store)
    catalogue = open_catalogue(opened, release.refs["catalogue"])
    encoder = Encoder.load(opened.fetch(release.refs["encoder"]), threads=threads)

    def match(lyrics: Lyrics, request: SongSettings | None) -> list[Match]:
        found = find_matches(
            catalogue,
            encoder,
            lyrics,
            k=MATCHES_SHOWN,
            require_track=True,
            filters=filters_of(request) if request else None,
            on_ranked=on_ranked,
        )
        if request and not found and request.filters_match:
            raise InputError(
                "No song that passes the filters of the match has music"
                f"{' with a melody' if request.match_melody else ''}. Leave out or widen one of them."
            )
        return found

    return match


def find_match(store: str, release: Release, draft: LyricsResult, request: SongSettings | None = None) -> list[Match]:
    """The songs of the catalogue whose lyrics are most similar, best first, of those that the request allows.

    Raises:
        InputError: it allows none.
    """
    return open_matcher(store, release)(draft.best.lyrics, request)


def compose_backing(
    store: str, release: Release, request: SongSettings, draft: LyricsResult, matches: Sequence[Match]
) -> Composition:
    """Write new music to the form of the lyrics, primed with the matched song, the user's own file, or none.

    Raises:
        InputError: the primer cannot be used; the message says why.
    """
    from rhapsody_lib.backing.copying import MELODIES_FILE, MelodyIndex
    from rhapsody_lib.backing.decoder import compose_backing as write_music
    from rhapsody_lib.backing.model import BackingModel
    from rhapsody_lib.operations.originality import write_original

    opened = Store(store)
    folder = opened.fetch(release.refs["backing"])
    model, melodies = BackingModel.load(folder), MelodyIndex.load(folder / MELODIES_FILE)
    words = draft.best.lyrics
    primed = primed_by(opened, release, request, matches, model.vocabulary.styles, words)
    facts = primed.facts
    key, tempo_bpm = key_or_none(request.key) or facts.key, request.tempo_bpm or facts.tempo_bpm
    plan = facts.plan(words, tempo_bpm)

    def write(seed: int) -> Score:
        return write_music(
            model,
            plan,
            primed.score,
            key=key,
            tempo_bpm=tempo_bpm,
            seed=seed,
            with_primer=request.with_primer,
            style=facts.style,
            melodies=melodies,
            progress=reporter("Composing"),
        )

    # Bars of the primer that open the song on purpose are no copy.
    opening_ticks = plan.sections[0].bars * plan.bar_ticks if request.with_primer else 0
    seed = split_seed(request.seed, "backing")
    score, copying = write_original(
        write, seed, lyrics=words, melodies=melodies, primer=primed.score, from_ticks=opening_ticks
    )
    return Composition(plan, score, primed.name, {**asdict(copying), "heldout": melodies.figures()})


def _music_figures(score: Score) -> dict[str, float | None]:
    """What is measured of the music and forced by nothing."""
    from rhapsody_lib.backing.metrics import chord_tone_share
    from rhapsody_lib.backing.quantise import quantise

    share = chord_tone_share(quantise(score))
    return {"chord_tones_on_strong_beats": None if math.isnan(share) else round(share, 4)}


def _scores(draft: LyricsResult) -> dict[str, Any]:
    """The score of the best lyrics, its parts and their weights, and the same of the others."""
    from rhapsody_lib.lyrics.ranking import SCORE_WEIGHTS

    found = [
        {
            "total": round(candidate.score, 5),
            "parts": {name: round(value, 5) for name, value in candidate.parts.items()},
        }
        for candidate in (draft.best, *draft.alternatives)
    ]
    return {**found[0], "weights": SCORE_WEIGHTS, "candidates": len(found), "alternatives": found[1:]}


def _info(
    release: Release,
    request: SongSettings,
    draft: LyricsResult,
    matches: Sequence[Match],
    composition: Composition,
) -> dict[str, Any]:
    """What song.json tells of how the song was made: no time, no path, so that the same song is the same bytes."""
    settings, best = request.model_dump(mode="json", exclude={"audio", "prompt", "seed"}), draft.best
    settings["primer"] = Path(request.primer).name
    return {
        "prompt": request.prompt,
        "seed": request.seed,
        "settings": settings,
        "release": {"number": release.number, "artifacts": {kind: ref.key for kind, ref in release.refs.items()}},
        "primer": composition.primer,
        "matches": [asdict(match) for match in matches],
        "form": [section.name for section in best.lyrics.sections],
        "scores": _scores(draft),
        "copying": {**asdict(best.copying), "heldout": dict(draft.heldout_copying)},
        "versions": {"rhapsody": metadata.version("rhapsody"), "stages": STAGE_VERSIONS},
    }


def write_song(
    release: Release,
    request: SongSettings,
    draft: LyricsResult,
    matches: Sequence[Match],
    composition: Composition,
    out: Path,
) -> SongResult:
    """Lay the words on the melody and write the bundle of files."""
    from rhapsody_lib.song.bundle import write_bundle
    from rhapsody_lib.song.fit import fit_words

    lyrics = draft.best.lyrics
    score = fit_words(lyrics, composition.score)
    files = write_bundle(
        out,
        lyrics=lyrics,
        score=score,
        info={
            **_info(release, request, draft, matches, composition),
            "measured": _music_figures(score),
            "melody_copying": dict(composition.copying),
        },
        audio=request.audio,
        vocal=request.vocal,
        progress=reporter("Writing files"),
    )
    return SongResult(
        lyrics.title,
        lyrics.text(),
        tuple(matches),
        out,
        dict(files),
        score.duration_s,
        release.number,
        _scores(draft),
    )
