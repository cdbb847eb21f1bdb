from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rhapsody_lib.errors import MissingExtraError, RhapsodyError
from rhapsody_lib.music.score import Note, Syllable
from rhapsody_lib.optional import is_installed
from rhapsody_lib.song import guide_vocal, speech, voices
from rhapsody_lib.song.mp3 import SAMPLE_RATE_HZ
from rhapsody_lib.song.notation import upper_voice
from rhapsody_lib.song.render import frames_of
from tests.unit.song.song_samples import BEAT, sample_score

HAS_VOICE = is_installed("pyworld") and is_installed("espeakng_loader")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide_vocal, "is_installed", lambda name: name != "pyworld")
    with pytest.raises(MissingExtraError, match=r"pyworld is not installed.*rhapsody\[vocal\]"):
        guide_vocal.check_vocal()
    monkeypatch.setattr(guide_vocal, "is_installed", lambda _: False)
    with pytest.raises(MissingExtraError, match=r"espeakng_loader and pyworld are not installed.*brings them"):
        guide_vocal.check_vocal()


@pytest.mark.skipif(not HAS_VOICE, reason="the extra 'vocal' is not installed")
def test_speech_takes_no_module_from_where_it_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ctypes.py").write_text("raise SystemExit('taken')")
    monkeypatch.chdir(tmp_path)
    spoken = speech.speak([["star"], ["42"], ["ᚠ"]])
    assert all(len(sound) for sound in spoken.sounds.values())
    star, number, other = (word[0] for word in spoken.words)
    assert star != other == speech.UNREAD
    assert "f" in number
    assert "t" in number


@pytest.mark.skipif(not HAS_VOICE, reason="the extra 'vocal' is not installed")
def test_other_scripts_are_read_by_their_own_voices() -> None:
    words = [["не", "бо"], ["ου", "ρα", "νός"], ["そ", "ら"], ["하", "늘"], ["天", "空"], ["שמים"], ["star"]]
    spoken = speech.speak(words[:4] + words[5:])
    assert [word[0].split()[0] for word in spoken.words] == ["ru", "el", "ja", "ko", "he", "en-us"]
    assert [len(word) for word in spoken.words] == [len(word) for word in words[:4] + words[5:]]
    chinese = speech.speak([words[4]])
    assert chinese.words[0][0].startswith("cmn ")
    for each in (spoken, chinese):
        assert speech.UNREAD not in each.sounds
        assert all(len(sound) > each.rate_hz // 20 for sound in each.sounds.values())


def test_the_voice_is_told_by_script_and_by_letters_of_the_song() -> None:
    assert voices.voices_of(["the", "sky", "7"]) == ["en-us"] * 3
    assert voices.voices_of(["небо", "7", "sky"]) == ["ru", "ru", "en-us"]
    assert voices.voices_of(["небо", "її"]) == ["uk", "uk"]
    assert voices.voices_of(["青い", "空"]) == ["", ""]
    assert voices.voices_of(["天空"]) == ["cmn"]
    assert voices.voices_of(["ᚠ"]) == [""]
    assert voices.voices_of(["ｓｋｙ", "ªs", "µ", "ﭖ"]) == ["en-us", "en-us", "el", "fa"]
    told = [Syllable(0, "не", False, 0), Syllable(1, "бо", True, 0), Syllable(2, "ᚠ", True, 0)]
    assert voices.told_voices(told) == {"none": 1, "ru": 1}


def test_what_the_speaker_died_of_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "__name__", "rhapsody_lib.song.nobody")
    with pytest.raises(RhapsodyError, match=r"No module named rhapsody_lib\.song\.nobody.*without --vocal"):
        speech.speak([["star"]])


@pytest.mark.skipif(not HAS_VOICE, reason="the extra 'vocal' is not installed")
def test_the_voice_sings_the_notes() -> None:
    from rhapsody_lib.song.world import world

    texts = (("Twin", False), ("kle", True), ("<won", False), ("der", True), ("42", True), ("star", True))
    pitches = (60, 60, 67, 67, 69, 64)
    notes = tuple(Note(i * BEAT, pitch, BEAT, 90) for i, pitch in enumerate(pitches))
    words = tuple(Syllable(i * BEAT, text, ends, 0) for i, (text, ends) in enumerate(texts))
    # The last syllable is held on a second note.
    notes = (*notes, Note(6 * BEAT, 62, 2 * BEAT, 90))
    score = sample_score((("verse 1", 0),))
    score = replace(score, parts={**score.parts, "melody": notes}, syllables=words)
    voice = guide_vocal.sing_score(score)
    assert voice.shape == (frames_of(score),)
    assert np.abs(voice).max() == pytest.approx(1.0)
    assert np.array_equal(voice, guide_vocal.sing_score(score))

    sound = np.ascontiguousarray(voice[::2], dtype=np.float64)
    tone, times = world().harvest(sound, SAMPLE_RATE_HZ // 2, f0_floor=60, f0_ceil=600)
    cents = []
    for note in upper_voice(score):
        start, end = score.seconds_at(note.start_ticks) + 0.05, score.seconds_at(note.end_ticks) - 0.05
        heard = tone[(times >= start) & (times < end) & (tone > 0)]
        assert heard.size, note
        wanted = 440 * 2 ** ((note.pitch - guide_vocal.octave_shift(score) - 69) / 12)
        cents.append(abs(1200 * np.log2(np.median(heard) / wanted)))
    assert np.median(cents) < 5
    assert max(cents) < 50
