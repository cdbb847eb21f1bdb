"""The steps of making a song: words, match, music, files. Each reads what it needs from the artifacts of one release.

No step loads TensorFlow or torch: the models are served from exported weights by NumPy and ONNX Runtime.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import InputError, UnreadableFileError
from rhapsody_lib.music.chords import Key, parse_key
from rhapsody_lib.music.plan import SongPlan, plan_from_lyrics
from rhapsody_lib.music.score import Score
from rhapsody_lib.operations.recipes import STAGE_VERSIONS
from rhapsody_lib.progress import reporter
from rhapsody_lib.release import Release
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import NO_PRIMER, CorpusSettings, SongSettings

if TYPE_CHECKING:
    from rhapsody_lib.backing.primer import PrimerFacts
    from rhapsody_lib.lyrics.decoder import LyricsResult
    from rhapsody_lib.retrieval.search import Match

logger = logging.getLogger(__name__)

MATCHES_SHOWN = 5
MAX_PRIMER_BYTES = 10_000_000


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


def find_match(store: str, release: Release, draft: LyricsResult) -> list[Match]:
    """The songs of the catalogue whose lyrics are most similar, best first."""
    from rhapsody_lib.retrieval.search import Catalogue, find_matches
    from rhapsody_lib.retrieval.serving import Encoder

    opened = Store(store)
    catalogue = Catalogue.load(opened.fetch(release.refs["catalogue"]))
    encoder = Encoder.load(opened.fetch(release.refs["encoder"]))
    return find_matches(catalogue, encoder, draft.best.lyrics, k=MATCHES_SHOWN, require_track=True)


def _matched_track(store: Store, corpus: ArtifactRef, matches: Sequence[Match]) -> tuple[Score, str]:
    """The music of the best match that can prime a song, and its title.

    Raises:
        InputError: none of them can.
    """
    import pyarrow.parquet as pq

    from rhapsody_lib.backing.primer import primer_facts
    from rhapsody_lib.corpus.schema import TRACKS_FILE
    from rhapsody_lib.music.midi import midi_to_score

    path = store.fetch(corpus) / TRACKS_FILE
    for match in matches:
        rows = pq.read_table(path, columns=["midi"], filters=[("track_id", "=", match.track_id)]).to_pylist()
        score = midi_to_score(rows[0]["midi"], f"track {match.track_id}")
        try:
            primer_facts(score)
        except InputError as error:
            logger.info("'%s' cannot prime the music: %s", match.title, error)
        else:
            return score, match.title
    raise InputError(
        "No similar song has a track that can prime the music. Train on a source with more music, or give a MIDI file "
        "with --primer."
    )


def _users_primer(path: Path) -> Score:
    """The music of a user's MIDI file. It may be a stranger's, so it is parsed in a process that can be killed."""
    from rhapsody_lib.corpus.found import Job
    from rhapsody_lib.corpus.sandbox import Sandbox
    from rhapsody_lib.music.midi import midi_to_score

    try:
        if path.stat().st_size > MAX_PRIMER_BYTES:
            raise InputError(f"{path}: is larger than {MAX_PRIMER_BYTES // 1_000_000} MB. Give a smaller MIDI file.")
        if not path.is_file():
            raise InputError(f"{path}: is not a file. Give the path of a MIDI file.")
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Give the path of a MIDI file.") from error
    limits = CorpusSettings()
    try:
        with Sandbox(timeout_s=limits.file_timeout_s, memory_mb=limits.file_memory_mb) as sandbox:
            track = sandbox.parse(Job("primer", str(path.absolute()), str(path))).track
    except UnreadableFileError as error:
        raise InputError(f"{path}: {error.detail} Give another MIDI file with --primer.") from error
    if track is None:
        raise InputError(f"{path}: holds no music. Give another MIDI file with --primer.")
    return midi_to_score(track.midi, str(path))


def _key_or_none(text: str) -> Key | None:
    try:
        return parse_key(text) if text else None
    except ValueError as error:
        raise InputError(f"--key: {error}.") from error


def compose_backing(
    store: str, release: Release, request: SongSettings, draft: LyricsResult, matches: Sequence[Match]
) -> Composition:
    """Write new music to the form of the lyrics, primed with the matched song, the user's own MIDI file, or none.

    Raises:
        InputError: the primer cannot be used; the message says why.
    """
    from rhapsody_lib.backing.copying import MELODIES_FILE, MelodyIndex
    from rhapsody_lib.backing.decoder import compose_backing as write_music
    from rhapsody_lib.backing.model import BackingModel
    from rhapsody_lib.operations.originality import write_original

    opened, key = Store(store), _key_or_none(request.key)
    folder = opened.fetch(release.refs["backing"])
    model, melodies = BackingModel.load(folder), MelodyIndex.load(folder / MELODIES_FILE)
    seed = split_seed(request.seed, "backing")
    primed = _primed(opened, release, request, matches, model.vocabulary.styles)
    facts = primed.facts
    plan = plan_from_lyrics(
        draft.best.lyrics,
        facts.metre,
        tempo_bpm=request.tempo_bpm or facts.tempo_bpm,
        usual_bars_per_line=facts.bars_per_line,
    )
    with_primer = request.with_primer and primed.score is not None

    def write(seed: int) -> Score:
        return write_music(
            model,
            plan,
            primed.score,
            key=key or facts.key,
            tempo_bpm=request.tempo_bpm or facts.tempo_bpm,
            seed=seed,
            with_primer=with_primer,
            style=facts.style,
            melodies=melodies,
            progress=reporter("Composing"),
        )

    # Bars of the primer that open the song on purpose are no copy.
    opening_ticks = plan.sections[0].bars * plan.bar_ticks if with_primer else 0
    words = draft.best.lyrics
    score, copying = write_original(
        write, seed, lyrics=words, melodies=melodies, primer=primed.score, from_ticks=opening_ticks
    )
    return Composition(plan, score, primed.name, {**asdict(copying), "heldout": melodies.figures()})


@dataclass(frozen=True)
class _Primed:
    """What primes a song: what it takes over, the music (none: a stock groove of the style), and what it is called."""

    facts: PrimerFacts
    score: Score | None
    name: str


def _primed(
    store: Store, release: Release, request: SongSettings, matches: Sequence[Match], styles: Sequence[str]
) -> _Primed:
    from rhapsody_lib.backing.primer import primer_facts
    from rhapsody_lib.backing.stock import stock_facts

    if request.primer == NO_PRIMER:
        facts = stock_facts(styles, request.seed, key=_key_or_none(request.key), tempo_bpm=request.tempo_bpm)
        return _Primed(facts, None, f"no song, {facts.style} by the seed")
    if request.primer:
        path = Path(request.primer)
        own = replace(_users_primer(path), title=path.name)  # so that a refusal names the file
        return _Primed(primer_facts(own), own, path.name)
    score, name = _matched_track(store, release.refs["corpus"], matches)
    return _Primed(primer_facts(score), score, name)


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
