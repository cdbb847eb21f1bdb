from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics import decoder
from rhapsody_lib.lyrics import palette as palettes
from rhapsody_lib.lyrics.composer import Composer
from rhapsody_lib.lyrics.copying import COPY_WORDS, REPORT_WORDS
from rhapsody_lib.lyrics.decoder import MAX_PROMPT_WORDS, Candidate, write_lyrics
from rhapsody_lib.lyrics.form import parse_form, plan_form
from rhapsody_lib.lyrics.line_writer import Kept, LineWish, LineWriter
from rhapsody_lib.lyrics.lines import break_text
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.syllables import count_syllables
from rhapsody_lib.words.tokens import tokenize_line


def check_song(model: LyricsModel, candidate: Candidate, prompt: str, max_lines: int) -> None:
    """What must hold of every song, whatever was asked."""
    opening = break_text(prompt)
    lyrics = candidate.lyrics
    assert list(lyrics.lines[: len(opening)]) == opening
    assert len(lyrics.lines) <= max(max_lines, len(opening))
    by_name: dict[str, tuple[str, ...]] = {}
    for section in lyrics.sections:
        assert section.lines == by_name.setdefault(section.name, section.lines)
        written = [line.lower() for line in section.lines if line not in opening]
        assert len(set(written)) == len(written)
    known = set(model.vocabulary.words) | {token for line in opening for token in tokenize_line(line)}
    for line in lyrics.lines[len(opening) :]:
        assert set(tokenize_line(line)) <= known
        assert "<" not in line
    assert lyrics.title.strip()


PROMPT_WORDS = ("the", "tide", "sky", "Привет", "🎉", "café", "海", "don't", "\n", "stove,", "1999")
PROMPTS = st.one_of(
    st.text(min_size=1, max_size=60),
    st.lists(st.sampled_from(PROMPT_WORDS), min_size=1).map(" ".join),
    st.just("The harbour lamp is burning low"),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=PROMPTS,
    seed=st.integers(0, 2**31 - 1),
    candidates=st.sampled_from([1, 2, 5]),
    temperature=st.sampled_from([0.1, 0.8, 2.0]),
    max_lines=st.sampled_from([4, 7, 12, 28]),
)
def test_any_prompt_gives_a_song_or_an_input_error(
    request: pytest.FixtureRequest, prompt: str, seed: int, candidates: int, temperature: float, max_lines: int
) -> None:
    # Not as an argument: Hypothesis would print all its weights for every failing example.
    model: LyricsModel = request.getfixturevalue("model")
    try:
        result = write_lyrics(
            model, prompt, seed=seed, candidates=candidates, temperature=temperature, max_lines=max_lines
        )
    except InputError:
        assert not any(map(str.isalnum, "".join(break_text(prompt))))
        return
    for candidate in (result.best, *result.alternatives):
        check_song(model, candidate, prompt, max_lines)
    assert len(result.alternatives) == candidates - 1
    assert result.best.copying.copied_runs == 0


@pytest.mark.parametrize("prompt", ["", "  \n\t ", "\x00\x07", "...!?", "\U0001f327", "\u2665 \u2665\n\u266a"])
def test_a_prompt_without_words_is_refused(model: LyricsModel, prompt: str) -> None:
    with pytest.raises(InputError, match="no words"):
        write_lyrics(model, prompt)


def test_a_prompt_longer_than_a_song_is_refused_with_the_limit(model: LyricsModel) -> None:
    with pytest.raises(InputError, match=f"at most {MAX_PROMPT_WORDS}"):
        write_lyrics(model, "word " * 10_000)


@pytest.mark.parametrize("mark", ["-", "/", "..."])
def test_words_that_stand_without_spaces_are_counted_too(model: LyricsModel, mark: str) -> None:
    with pytest.raises(InputError, match=f"at most {MAX_PROMPT_WORDS}"):
        write_lyrics(model, mark.join(["a"] * (MAX_PROMPT_WORDS + 1)))


def test_the_longest_prompt_is_a_song_of_its_own(model: LyricsModel) -> None:
    prompt = "la " * MAX_PROMPT_WORDS
    result = write_lyrics(model, prompt, candidates=1, max_lines=4)
    assert " ".join(result.best.lyrics.lines) == prompt.strip()


def test_one_word_of_a_hundred_thousand_letters(model: LyricsModel) -> None:
    result = write_lyrics(model, "a" * 100_000, candidates=1, max_lines=8)
    assert result.best.lyrics.lines[0] == "a" * 100_000


def test_the_same_seed_gives_the_same_song_and_another_seed_another(model: LyricsModel) -> None:
    first, again, other = (write_lyrics(model, "the sky is blue", seed=seed, candidates=3) for seed in (5, 5, 6))
    assert first == again
    assert first.best.lyrics != other.best.lyrics


def test_the_default_form(model: LyricsModel) -> None:
    lyrics = write_lyrics(model, "the sky is blue", candidates=8).best.lyrics
    names = [section.name for section in lyrics.sections]
    assert names == ["verse 1", "chorus", "verse 2", "chorus", "bridge", "chorus"]


def test_a_short_prompt_returns_in_the_chorus_and_gives_the_title(model: LyricsModel) -> None:
    lyrics = write_lyrics(model, "the tide is low", candidates=4).best.lyrics
    assert "the tide is low" in lyrics.sections[1].lines
    assert lyrics.title == "The Tide Is Low"
    assert write_lyrics(model, "the tide is low", candidates=1, title="Mine").best.lyrics.title == "Mine"


def test_a_given_form_is_followed(model: LyricsModel) -> None:
    form = ("verse 1", "refrain", "verse 2", "refrain")
    lyrics = write_lyrics(model, "the tide", candidates=4, form=form).best.lyrics
    assert [section.name for section in lyrics.sections] == list(form)
    assert lyrics.sections[1] == lyrics.sections[3]


def test_a_form_decides_how_long_a_song_is(model: LyricsModel) -> None:
    form = parse_form("verse chorus verse chorus bridge chorus outro")
    lyrics = write_lyrics(model, "the tide", candidates=4, max_lines=4, form=form, lines_per_section=2).best.lyrics
    assert [section.kind for section in lyrics.sections] == [name.rstrip(" 12") for name in form]
    assert {len(section.lines) for section in lyrics.sections} == {2}
    assert lyrics.sections[1] == lyrics.sections[3] == lyrics.sections[5]


@pytest.mark.parametrize("syllables", [4, 6, 11])
def test_lines_have_the_syllables_asked_for(model: LyricsModel, syllables: int) -> None:
    lyrics = write_lyrics(model, "salt", candidates=4, max_lines=8, syllables_per_line=syllables).best.lyrics
    written = [line for line in lyrics.lines if line != "salt"]
    assert len(written) >= 4
    assert all(abs(count_syllables(line) - syllables) <= 1 for line in written)


@pytest.mark.parametrize("words", [3, 5, 9])
def test_lines_have_the_words_asked_for(model: LyricsModel, words: int) -> None:
    lyrics = write_lyrics(model, "salt", candidates=4, max_lines=8, words_per_line=words).best.lyrics
    written = [line for line in lyrics.lines if line != "salt"]
    assert len(written) >= 4
    assert all(abs(len(line.split()) - words) <= 1 for line in written)


def test_a_prompt_of_a_whole_training_song_is_not_gone_on_with(model: LyricsModel, songs: list[Lyrics]) -> None:
    for song in songs:
        prompt = "\n".join(song.lines)
        result = write_lyrics(model, prompt, candidates=3, max_lines=36)
        given = len(break_text(prompt))
        assert len(result.best.lyrics.lines) > given
        assert result.best.copying.copied_runs == 0
        assert result.best.copying.prompt_copied_runs > 0
        assert result.best.copying.longest_run <= COPY_WORDS - 1
        for line in result.best.lyrics.lines[given:]:
            assert not model.copies.is_copy(tokenize_line(line))
            assert line not in song.lines


def test_the_report_names_the_longest_run(model: LyricsModel) -> None:
    found = [
        candidate.copying
        for seed in range(3)
        for candidate in write_lyrics(model, "the tide", seed=seed, candidates=8).alternatives
    ]
    assert {len(copying.longest_run_words.split()) for copying in found} <= {0, REPORT_WORDS}
    named = [copying for copying in found if copying.longest_run_words]
    assert named
    for copying in found:
        assert (copying.shared_share > 0) == bool(copying.longest_run_words)
        assert copying.longest_run == (REPORT_WORDS if copying.longest_run_words else REPORT_WORDS - 1)
        assert all(model.copies.runs(copying.longest_run_words.split(), REPORT_WORDS))


@pytest.mark.parametrize(
    "prompt",
    [
        "qwzzt",
        "\N{PARTY POPPER}\N{PARTY POPPER} la \N{DOG FACE}",
        "Я помню чудное мгновенье",
        "<script>alert('hi')</script> <b>love</b> & [chorus] {{x}}",
        "[verse 1]\n[chorus]\nla",
        "the tide\n\n\n...\n!!!\nthe sea",
        "tide " * 299 + "sea",
    ],
)
def test_strange_prompts_open_songs(model: LyricsModel, prompt: str) -> None:
    result = write_lyrics(model, prompt, candidates=2, max_lines=12)
    check_song(model, result.best, prompt, 12)
    assert write_lyrics(model, prompt, candidates=2, max_lines=12) == result


def test_lines_keep_near_their_length(model: LyricsModel) -> None:
    result = write_lyrics(model, "salt and stone and tide and sea", candidates=4, max_lines=12)
    verse = result.best.lyrics.sections[0].lines
    counts = [count_syllables(line) for line in verse]
    assert counts[0] == 7
    assert all(abs(count - 7) <= 1 for count in counts)


def test_lines_are_as_long_as_the_last_of_the_prompt(model: LyricsModel) -> None:
    for prompt, syllables in (
        ("salt and stone and tide and sea\nsalt and stone and tide and sea and salt", 9),
        ("salt and stone and tide and sea and salt\nsalt and stone and tide and sea", 7),
    ):
        verse = write_lyrics(model, prompt, candidates=4, max_lines=12).best.lyrics.sections[0].lines
        counts = [count_syllables(line) for line in verse[1:]]
        assert counts[0] == syllables
        assert len(counts) == 3
        assert all(abs(count - syllables) <= 1 for count in counts)


def test_a_vocabulary_cut_to_a_few_words_gives_songs(model: LyricsModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(palettes, "MOST_WORDS", 40)
    result = write_lyrics(model, "the tide is low", candidates=2, max_lines=12)
    check_song(model, result.best, "the tide is low", 12)
    assert len({token for line in result.best.lyrics.lines for token in tokenize_line(line)}) <= 44


def test_a_title_is_one_line_without_control_characters(model: LyricsModel) -> None:
    def title(text: str) -> str:
        return write_lyrics(model, "the tide is low", candidates=1, title=text).best.lyrics.title

    assert title(" My\nown\r\n\u2028\x00 \tSong\x1b ") == "My own Song"
    assert title("\n\x00 \t") == "The Tide Is Low"


@pytest.mark.parametrize("copies", [3, 6, 9, 99])
def test_where_every_song_copies_more_are_written(
    model: LyricsModel, monkeypatch: pytest.MonkeyPatch, copies: int
) -> None:
    report, count = decoder._copying, itertools.count()

    def copying(*arguments: object) -> decoder.Copying:
        return dataclasses.replace(report(*arguments), copied_runs=int(next(count) < copies))  # type: ignore[arg-type]

    monkeypatch.setattr(decoder, "_copying", copying)
    results = []
    for _ in range(2):
        count = itertools.count()
        results.append(write_lyrics(model, "the tide", candidates=3, max_lines=8))
        assert next(count) == min(copies + 3, 12)
    assert results[0] == results[1]
    assert len(results[0].alternatives) == 2
    assert (results[0].best.copying.copied_runs == 0) == (copies < 12)


def test_what_follows_the_hook_is_looked_at_when_the_chorus_is_written(
    model: LyricsModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt, calls = ["the tide is low"], []
    write = LineWriter.write

    def recorded(self: LineWriter, wishes: Sequence[LineWish | None]) -> list[Kept | None]:
        calls.append(list(wishes))
        return write(self, wishes)

    monkeypatch.setattr(LineWriter, "write", recorded)
    plan = plan_form(prompt, 12, ("verse 1", "chorus", "verse 1"))
    drafts = Composer(model, prompt, plan).compose(8, temperature=0.8, top_p=0.95, rng=np.random.default_rng(0))
    seen = 0
    for song, draft in enumerate(drafts):
        verse = tuple(itertools.chain(*draft.by_name["verse 1"]))
        hook = draft.by_name["verse 1"][0]
        for place in range(3):
            if calls[4][song]:
                wish = calls[4 + place][song]
                assert wish
                assert wish.before == hook + verse
                seen += 1
    assert 0 < seen < 24


def test_a_song_of_which_nothing_could_be_written_is_the_last(model: LyricsModel) -> None:
    song = write_lyrics(model, "the tide", candidates=1, max_lines=8).best
    empty = dataclasses.replace(song, score=99.0, parts={**song.parts, "completeness": 0.0})
    copied = dataclasses.replace(song, score=99.0, copying=dataclasses.replace(song.copying, copied_runs=1))
    assert sorted([copied, empty, song], key=decoder._rank) == [song, empty, copied]


def test_no_written_run_is_a_training_song_s(model: LyricsModel) -> None:
    prompt = "The harbour lamp is burning low"
    result = write_lyrics(model, prompt, candidates=6)
    for candidate in (result.best, *result.alternatives):
        written = [line for line in candidate.lyrics.lines if line != prompt]
        for line in written:
            assert not model.copies.is_copy(tokenize_line(line))
            assert not model.copies.is_line(tokenize_line(line))
    assert result.best.copying.prompt_copied_runs == 7 - COPY_WORDS


def test_candidates_are_ranked_by_the_sum_of_their_parts(model: LyricsModel) -> None:
    result = write_lyrics(model, "the tide", candidates=20)
    scores = [result.best.score, *(candidate.score for candidate in result.alternatives)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 10


def test_writing_loads_no_framework() -> None:
    code = (
        "import sys, rhapsody_lib.lyrics.decoder, rhapsody_lib.lyrics.model;"
        "print([name for name in ('tensorflow', 'keras', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
