from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rhapsody_lib.errors import MissingExtraError
from rhapsody_lib.music.score import Note, Syllable
from rhapsody_lib.optional import is_installed
from rhapsody_lib.song import guide_vocal
from rhapsody_lib.song.notation import upper_voice
from rhapsody_lib.song.render import SAMPLE_RATE_HZ, frames_of
from tests.unit.song.song_samples import BEAT, sample_score

HAS_VOICE = is_installed("pyworld") and is_installed("espeakng_loader")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guide_vocal, "is_installed", lambda name: name != "pyworld")
    with pytest.raises(MissingExtraError, match=r"pyworld is not installed.*rhapsody\[vocal\]"):
        guide_vocal.check_vocal()


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
