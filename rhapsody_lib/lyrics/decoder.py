"""A prompt becomes lyrics: many candidates are written side by side, and the best by a stated score is kept.

The prompt opens the song word for word. The form, the rhymes and the length of lines are steered; runs of words of the
training songs are refused. NumPy only: no framework is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics.composer import Composer, Draft
from rhapsody_lib.lyrics.copying import COPY_WORDS, REPORT_WORDS
from rhapsody_lib.lyrics.form import plan_form
from rhapsody_lib.lyrics.lines import break_text
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.ranking import score, score_parts
from rhapsody_lib.lyrics.titles import hook_title
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.seeding import generator
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.tokens import tokenize_line

#: A longer prompt is a song already.
MAX_PROMPT_WORDS = 300
#: Candidates written side by side.
_BATCH_SONGS = 16


@dataclass(frozen=True)
class Copying:
    """What a song has in common with the training songs.

    Args:
        copied_runs: runs of six words that stand in a training song too; those within the prompt are not counted.
        prompt_copied_runs: those within the prompt.
        shared_share: share of the runs of five words, of what was written, that stand in a training song.
    """

    copied_runs: int
    prompt_copied_runs: int
    shared_share: float


@dataclass(frozen=True)
class Candidate:
    """One song: its words, its score, the parts of the score, and the copying report."""

    lyrics: Lyrics
    score: float
    parts: dict[str, float]
    copying: Copying


@dataclass(frozen=True)
class LyricsResult:
    """The best candidate, and the others from better to worse."""

    best: Candidate
    alternatives: tuple[Candidate, ...]


def write_lyrics(
    model: LyricsModel,
    prompt: str,
    *,
    seed: int = 0,
    candidates: int = 16,
    temperature: float = 0.8,
    top_p: float = 0.95,
    max_lines: int = 24,
    title: str = "",
    form: Sequence[str] | None = None,
    progress: Progress = silent,
) -> LyricsResult:
    """Write a song that opens with the prompt.

    Args:
        model: the trained model.
        prompt: any text of at least one word or symbol, at most `MAX_PROMPT_WORDS`; its own line breaks are kept.
        seed: the same model, prompt, options and seed give the same song.
        candidates: songs written, of which the best is kept.
        temperature: of the network's distribution, 0.1 to 2.
        top_p: share of the mass that words are drawn from.
        max_lines: lines at most, unless the prompt alone has more.
        title: the title; taken from the hook where empty.
        form: section names in order of performance; by default verses, choruses and a bridge as the lines allow.
        progress: told the candidates written.

    Raises:
        InputError: the prompt holds no word, or too many.
    """
    lines = prompt_lines(prompt)
    composer = Composer(model, lines, plan_form(lines, max_lines, form))
    found: list[Candidate] = []
    for first in range(0, candidates, _BATCH_SONGS):
        songs = min(_BATCH_SONGS, candidates - first)
        rng = generator(seed, "lyrics", "write", first)
        drafts = composer.compose(songs, temperature=temperature, top_p=top_p, rng=rng)
        found += [_candidate(model, draft, len(lines), title) for draft in drafts]
        progress(first + songs, candidates, "lyrics")
    ranked = sorted(found, key=lambda candidate: (candidate.copying.copied_runs > 0, -candidate.score))
    return LyricsResult(ranked[0], tuple(ranked[1:]))


def prompt_lines(prompt: str) -> list[str]:
    """The lines that a prompt opens the song with.

    Raises:
        InputError: the prompt holds no word, or too many.
    """
    lines = break_text(prompt)
    if not lines:
        raise InputError("The prompt holds no words. Give the words that the song is to begin with.")
    words = sum(len(line.split()) for line in lines)
    if words > MAX_PROMPT_WORDS:
        raise InputError(f"The prompt has {words} words; at most {MAX_PROMPT_WORDS} can open a song. Shorten it.")
    return lines


def _candidate(model: LyricsModel, draft: Draft, prompt_lines: int, title: str) -> Candidate:
    lyrics = Lyrics(title, draft.sections)
    opening = lyrics.lines[0] if prompt_lines == 1 else ""
    lyrics = Lyrics(title.strip() or hook_title(lyrics, opening), draft.sections)
    unique = dict.fromkeys(section.lines for section in lyrics.sections)
    parts = score_parts(draft.written, [tokenize_line(line) for lines in unique for line in lines])
    return Candidate(lyrics, score(parts), parts, _copying(model, lyrics, prompt_lines))


def _copying(model: LyricsModel, lyrics: Lyrics, prompt_lines: int) -> Copying:
    tokens = [tokenize_line(line) for line in lyrics.lines]
    prompt = [token for line in tokens[:prompt_lines] for token in line]
    words = [token for line in tokens for token in line]
    hook = " ".join(prompt)
    copies, shared = model.copies.runs(words, COPY_WORDS), model.copies.runs(words, REPORT_WORDS)
    own = [found for start, found in enumerate(shared) if " ".join(words[start : start + REPORT_WORDS]) not in hook]
    return Copying(
        sum(found and " ".join(words[start : start + COPY_WORDS]) not in hook for start, found in enumerate(copies)),
        sum(model.copies.runs(prompt, COPY_WORDS)),
        sum(own) / len(own) if own else 0.0,
    )
