"""A song is primed by the user's file or by nothing; a file that cannot prime is refused with its name and why."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import mido
import pytest

from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.backing.stock import USUAL_BPM, stock_facts
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.score import TICKS_PER_BEAT, Score
from rhapsody_lib.operations import priming
from rhapsody_lib.operations.delivery import song_recipe
from rhapsody_lib.operations.generation import open_matcher
from rhapsody_lib.release import Release, live_release
from rhapsody_lib.retrieval.search import Match
from rhapsody_lib.settings import SongSettings
from rhapsody_lib.words.document import parse_lyrics
from tests.trained import Trained

PLAYED_TICKS = 205
WORDS = parse_lyrics(
    "[verse 1]\nthe sky is blue above the town\nand no one wants to come on down\n\n[chorus]\noh hold the line\n"
    "oh hold the line tonight\n\n[verse 2]\nthe rain is green below the hill\nand everything is standing still\n\n"
    "[chorus]\noh hold the line\noh hold the line tonight\n"
)


def _midi(
    notes: list[tuple[int, int, int]], *, channel: int = 0, bpm: float = 91.0, metre: tuple[int, int] = (3, 4)
) -> bytes:
    """A file of (tick, pitch, ticks) at 480 a quarter note, in G."""
    events: list[tuple[int, mido.Message]] = [
        (0, mido.MetaMessage("set_tempo", tempo=round(60e6 / bpm))),
        (0, mido.MetaMessage("time_signature", numerator=metre[0], denominator=metre[1])),
        (0, mido.MetaMessage("key_signature", key="G")),
    ]
    for start, pitch, ticks in notes:
        events.append((start, mido.Message("note_on", note=pitch, velocity=80, channel=channel)))
        events.append((start + ticks, mido.Message("note_off", note=pitch, channel=channel)))
    events.sort(key=lambda event: event[0])
    track, now = mido.MidiTrack(), 0
    for tick, message in events:
        track.append(message.copy(time=tick - now))
        now = tick
    buffer = io.BytesIO()
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(file=buffer)
    return buffer.getvalue()


def _compose(trained: Trained, **request: object) -> Score:
    release = live_release(Store(trained.store))
    draft = SimpleNamespace(best=SimpleNamespace(lyrics=WORDS))
    asked = SongSettings(prompt="the sky", **request)  # type: ignore[arg-type]
    return operations.compose_backing(trained.store, release, asked, draft, ()).score  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_midi([(0, 60, 480)]), "'mine.mid' cannot prime the music: it has fewer than 2 bars with notes"),
        (_midi([(beat * 480, 36, 120) for beat in range(24)], channel=9), "'mine.mid' cannot .*: it has only drums"),
        (_midi([]), "mine.mid: holds no notes"),
        (_midi([(beat * 480, 60, 480) for beat in range(60)], metre=(11, 8)), "mine.mid' .*: it is in 11/8"),
    ],
    ids=["too short", "only drums", "no notes", "unknown metre"],
)
def test_a_primer_that_cannot_be_used_is_refused_with_the_reason(
    trained: Trained, tmp_path: Path, data: bytes, reason: str
) -> None:
    (tmp_path / "mine.mid").write_bytes(data)
    with pytest.raises(InputError, match=reason):
        _compose(trained, primer=str(tmp_path / "mine.mid"))


@pytest.fixture(scope="module")
def waltz() -> bytes:
    """Twelve bars in 3/4, G major, 91 a minute: a bass note on one, chords on two and three."""
    notes = []
    for bar in range(12):
        root = (55, 60, 62, 55)[bar % 4]
        begin = bar * 3 * 480
        notes.append((begin, root - 12, 400))
        notes += [(begin + beat * 480, root + step, PLAYED_TICKS) for beat in (1, 2) for step in (4, 7, 12)]
    return _midi(notes)


@pytest.mark.parametrize("with_primer", [True, False])
def test_key_tempo_metre_and_groove_of_the_users_file_carry_over(
    trained: Trained, tmp_path: Path, waltz: bytes, with_primer: bool
) -> None:
    (tmp_path / "waltz.mid").write_bytes(waltz)
    score = _compose(trained, primer=str(tmp_path / "waltz.mid"), with_primer=with_primer)
    metre = score.metres[0]
    assert (score.key.name, round(score.tempo_bpm), metre.numerator, metre.denominator) == ("G major", 91, 3, 4)
    intro = [n.duration_ticks for n in score.parts["piano"] if n.start_ticks < 4 * metre.bar_ticks]
    assert (PLAYED_TICKS in intro) == with_primer  # a length that is not on the grid of what is written
    beats = [n.start_ticks % TICKS_PER_BEAT == 0 for n in score.parts["piano"]]
    assert sum(beats) > 0.6 * len(beats)


def test_no_primer_is_a_song_of_its_own(trained: Trained) -> None:
    first, again, other = (_compose(trained, primer="none", seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first.style in USUAL_BPM and first.tempo_bpm == USUAL_BPM[first.style]
    asked = _compose(trained, primer="none", key="A minor", tempo_bpm=77.0, seed=1)
    assert (asked.key.name, asked.tempo_bpm) == ("A minor", 77.0)


def test_stock_facts_keep_what_is_wanted() -> None:
    for seed in range(20):
        facts = stock_facts(("rock", "ballad", "unheard"), seed, tempo_bpm=140)
        assert facts.style == "rock" and facts.tempo_bpm == 140 and facts.metre == (4, 4)
        assert stock_facts(("waltz",), seed, key=Key(3, "minor")).key == Key(3, "minor")
    assert len({stock_facts(tuple(USUAL_BPM), seed).style for seed in range(40)}) > 8


def test_no_primer_is_no_file(trained: Trained) -> None:
    release = Release(1, {}, {}, None, "", "")
    assert "primer" not in song_recipe(release, SongSettings(prompt="a", primer="none")).inputs


@pytest.fixture(scope="module")
def matches(trained: Trained) -> list[Match]:
    """What is found to the words."""
    return open_matcher(trained.store, live_release(Store(trained.store)))(WORDS, None)


def _primed_by(trained: Trained, matches: list[Match]) -> str:
    """What primes a song that has these matches."""
    store = Store(trained.store)
    primed = priming.primed_by(store, live_release(store), SongSettings(prompt="the sky"), matches, ("rock",), WORDS)
    assert primed.score is not None
    return primed.name


def _refuse(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let no music of the first tracks that are asked for prime a song."""
    import rhapsody_lib.backing.primer as primer

    facts, asked = primer.primer_facts, list[Score]()

    def refuse(score: Score) -> primer.PrimerFacts:
        asked.append(score)
        if len(asked) <= count:
            raise InputError("only drums")
        return facts(score)

    monkeypatch.setattr(primer, "primer_facts", refuse)


def test_where_no_match_that_is_shown_can_prime_the_next_one_does(
    trained: Trained, matches: list[Match], monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse(monkeypatch, 2)
    assert _primed_by(trained, matches[:2]) == matches[2].title


def test_the_search_for_music_that_can_prime_ends(
    trained: Trained, matches: list[Match], monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse(monkeypatch, 4)
    monkeypatch.setattr(priming, "_MOST_TRIED", 3)
    with pytest.raises(InputError, match=r"No similar song has a track .* --primer none"):
        _primed_by(trained, matches[:2])


def test_a_track_that_the_corpus_lacks_is_passed_over(
    trained: Trained, matches: list[Match], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = replace(matches[0], track_id="gone")
    assert _primed_by(trained, [gone, matches[1]]) == matches[1].title
    monkeypatch.setattr(priming, "best_accepted", lambda *_: None)
    with pytest.raises(InputError, match="None of the similar songs' tracks is in the corpus"):
        _primed_by(trained, [gone])
