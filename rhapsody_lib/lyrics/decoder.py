"""A prompt becomes lyrics: many candidates are written side by side, and the best by a stated score is kept.

The prompt opens the song word for word. The form, the rhymes and the length of lines are steered; runs of words of the
training songs are refused. NumPy only: no framework is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics.composer import Composer, Draft, LineLength
from rhapsody_lib.lyrics.copying import COPY_WORDS, REPORT_WORDS
from rhapsody_lib.lyrics.form import LINES_PER_SECTION, plan_form
from rhapsody_lib.lyrics.lines import break_text
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.ranking import score, score_parts
from rhapsody_lib.lyrics.titles import hook_title
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.seeding import generator
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.tokens import clean_text, tokenize_line

#: A longer prompt is a song already.
MAX_PROMPT_WORDS = 300
#: Candidates written side by side.
_BATCH_SONGS = 16
#: Batches more, at most, where every candidate has a copied run.
_MORE_BATCHES = 3


@dataclass(frozen=True)
class Copying:
    """What a song has in common with the training songs.

    Args:
        copied_runs: runs of six words that stand in a training song too; those within the prompt are not counted.
        prompt_copied_runs: those within the prompt.
        shared_share: share of the runs of five words, of what was written, that stand in a training song.
        longest_run: words of the longest run in common, of what was written; runs of fewer than five words are not
            looked for, so that 4 stands for four or fewer.
        longest_run_words: those words, where there are five or more.
    """

    copied_runs: int
    prompt_copied_runs: int
    shared_share: float
    longest_run: int
    longest_run_words: str


@dataclass(frozen=True)
class Candidate:
    """One song: its words, its score, the parts of the score, and the copying report."""

    lyrics: Lyrics
    score: float
    parts: dict[str, float]
    copying: Copying


@dataclass(frozen=True)
class LyricsResult:
    """The best candidate, and the others from better to worse.

    `heldout_copying` is what songs that are no training songs share with them, where it was measured.
    """

    best: Candidate
    alternatives: tuple[Candidate, ...]
    heldout_copying: Mapping[str, float] = field(default_factory=dict)


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
    form: Sequence[str] = (),
    lines_per_section: int = LINES_PER_SECTION,
    syllables_per_line: int | None = None,
    words_per_line: int | None = None,
    progress: Progress = silent,
) -> LyricsResult:
    """Write a song that opens with the prompt.

    Args:
        model: the trained model.
        prompt: any text of at least one letter or digit, of at most `MAX_PROMPT_WORDS`; its own line breaks are kept.
        seed: the same model, prompt, options and seed give the same song.
        candidates: songs written, of which the best is kept.
        temperature: of the network's distribution, 0.1 to 2.
        top_p: share of the mass that words are drawn from.
        max_lines: lines at most, unless the prompt alone has more.
        title: the title; taken from the hook where empty.
        form: section names in order of performance; by default verses, choruses and a bridge as the lines allow. A
            form that is given is followed to its end, whatever `max_lines` is.
        lines_per_section: lines of each section, 2 to 8.
        syllables_per_line: length of lines, give or take one; by default that of the prompt's last line, or as lines of
            the training songs have it.
        words_per_line: the same in words; at most one of the two.
        progress: told the candidates written.

    Raises:
        InputError: the prompt holds no word, or too many.
    """
    lines = prompt_lines(prompt)
    plan = plan_form(lines, max_lines, form, lines_per_section)
    length = LineLength(syllables=syllables_per_line, words=words_per_line)
    composer = Composer(model, lines, plan, length)

    def write(songs: int, *key: str | int) -> list[Candidate]:
        rng = generator(seed, "lyrics", *key)
        drafts = composer.compose(songs, temperature=temperature, top_p=top_p, rng=rng)
        return [_candidate(model, draft, len(lines), title) for draft in drafts]

    found: list[Candidate] = []
    for first in range(0, candidates, _BATCH_SONGS):
        songs = min(_BATCH_SONGS, candidates - first)
        found += write(songs, "write", first)
        progress(first + songs, candidates, "lyrics")
    for more in range(_MORE_BATCHES):
        if any(candidate.copying.copied_runs == 0 for candidate in found):
            break
        found += write(min(_BATCH_SONGS, candidates), "write again", more)
    ranked = sorted(found, key=_rank)[:candidates]
    return LyricsResult(ranked[0], tuple(ranked[1:]))


def _rank(candidate: Candidate) -> tuple[bool, bool, float]:
    """Lowest for the best. A song of the prompt alone has no unlikely word, so that its score would win."""
    return candidate.copying.copied_runs > 0, candidate.parts["completeness"] == 0, -candidate.score


def prompt_lines(prompt: str) -> list[str]:
    """The lines that a prompt opens the song with.

    Raises:
        InputError: the prompt holds no word, or too many.
    """
    lines = break_text(prompt)
    if not any(char.isalnum() for line in lines for char in line):  # symbols alone cannot be sung
        raise InputError("The prompt holds no words. Give the words that the song is to begin with.")
    # Hyphens join what is read as many words.
    words = sum(max(len(line.split()), len(tokenize_line(line))) for line in lines)
    if words > MAX_PROMPT_WORDS:
        raise InputError(f"The prompt has {words} words; at most {MAX_PROMPT_WORDS} can open a song. Shorten it.")
    return lines


def _candidate(model: LyricsModel, draft: Draft, prompt_lines: int, title: str) -> Candidate:
    lyrics = Lyrics(" ".join(clean_text(title).split()), draft.sections)
    opening = lyrics.lines[0] if prompt_lines == 1 else ""
    lyrics = Lyrics(lyrics.title or hook_title(lyrics, opening), draft.sections)
    unique = dict.fromkeys(section.lines for section in lyrics.sections)
    parts = score_parts(draft.written, [tokenize_line(line) for lines in unique for line in lines])
    return Candidate(lyrics, score(parts), parts, _copying(model, lyrics, prompt_lines))


def _copying(model: LyricsModel, lyrics: Lyrics, prompt_lines: int) -> Copying:
    tokens = [tokenize_line(line) for line in lyrics.lines]
    prompt = [token for line in tokens[:prompt_lines] for token in line]
    words = [token for line in tokens for token in line]
    copies, shared = (_own_runs(model, words, prompt, length) for length in (COPY_WORDS, REPORT_WORDS))
    longest = _longest(copies, shared)
    return Copying(
        copied_runs=sum(copies.values()),
        prompt_copied_runs=sum(model.copies.runs(prompt, COPY_WORDS)),
        shared_share=sum(shared.values()) / len(shared) if shared else 0.0,
        longest_run=len(longest) or REPORT_WORDS - 1,
        longest_run_words=" ".join(words[longest.start : longest.stop]),
    )


def _own_runs(model: LyricsModel, words: list[str], prompt: list[str], length: int) -> dict[int, bool]:
    """By place whether the run of words there stands in a training song; runs that are the prompt's do not count."""
    given = f" {' '.join(prompt)} "
    return {
        start: found
        for start, found in enumerate(model.copies.runs(words, length))
        if f" {' '.join(words[start : start + length])} " not in given
    }


def _longest(copies: Mapping[int, bool], shared: Mapping[int, bool]) -> range:
    """The places of the longest run in common: copies that overlap are taken for one, where there are any."""
    longest = start = range(0)
    for place, found in copies.items():
        start = range(start.start if start and start.stop == place + COPY_WORDS - 1 else place, place + COPY_WORDS)
        start = start if found else range(0)
        longest = max(longest, start, key=len)
    first = next((place for place, found in shared.items() if found), None)
    return longest if longest or first is None else range(first, first + REPORT_WORDS)
