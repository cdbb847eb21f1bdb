"""Parts played by the soundfont's synthesizer, each alone: what is played, and what was heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rhapsody_lib.music.score import PARTS, Score
from rhapsody_lib.song.mp3 import MARGIN_FRAMES, SAMPLE_RATE_HZ

#: Frames handled at once: fifteen tenths of a second, small enough for a processor's cache.
BLOCK_FRAMES = 15 * SAMPLE_RATE_HZ // 10
_DRUM_CHANNEL = 9


@dataclass(frozen=True, slots=True)
class PartNotes:
    """What is played of a part.

    Args:
        part: its name.
        program: General MIDI program.
        events: (frame, order, pitch, velocity), sorted; velocity 0 ends a note; ends come before starts.
    """

    part: str
    program: int
    events: list[tuple[int, int, int, int]]

    @classmethod
    def of(cls, score: Score, part: str) -> PartNotes:
        """A part of a score."""
        events = []
        for note in score.parts[part]:
            start = round(score.seconds_at(note.start_ticks) * SAMPLE_RATE_HZ)
            end = max(start + 1, round(score.seconds_at(note.end_ticks) * SAMPLE_RATE_HZ))
            events += [(start, 1, note.pitch, note.velocity), (end, 0, note.pitch, 0)]
        return cls(part, score.programs.get(part, 0), sorted(events))


def _generate(synth: Any, view: memoryview, start: int, end: int) -> None:
    """Play on into frames `start` to `end` of a stereo buffer."""
    if end > start:
        synth.generate_simple(end - start, buffer=view[8 * start : 8 * end])


def play_blocks(synth: Any, notes: PartNotes, pan: int, frames: int) -> Iterator[np.ndarray]:
    """One part alone, float32 [`BLOCK_FRAMES` at most, 2] a block in a buffer that is used again."""
    channel = _DRUM_CHANNEL if notes.part == "drums" else PARTS.index(notes.part)
    synth.program_change(channel, notes.program, notes.part == "drums")
    synth.control_change(channel, 10, pan)
    buffer = np.zeros((BLOCK_FRAMES, 2), dtype=np.float32)
    view = buffer.data.cast("B")
    events, index = notes.events, 0
    for start in range(0, frames, BLOCK_FRAMES):
        position, count = 0, min(BLOCK_FRAMES, frames - start)
        while index < len(events) and events[index][0] < start + count:
            frame, _, pitch, velocity = events[index]
            _generate(synth, view, position, frame - start)
            position, index = frame - start, index + 1
            if velocity:
                synth.noteon(channel, pitch, velocity)
            else:
                synth.noteoff(channel, pitch)
        _generate(synth, view, position, count)
        yield buffer[:count]
    # What still rings dies away unheard, so that the next part is the same whatever was played before it.
    synth.sounds_off()
    _generate(synth, view, 0, BLOCK_FRAMES)


def mono(stereo: np.ndarray) -> np.ndarray:
    """The middle of both channels: float32 [frames] of [frames, 2]."""
    # Adding the columns is ten times as fast as a sum over the axis of two.
    both: np.ndarray = stereo[:, 0] + stereo[:, 1]
    both *= np.float32(0.5)
    return both


@dataclass(frozen=True, slots=True)
class Take:
    """One part as it was played, in 16 bits a sample: half the memory. Each block is stored at its own peak's scale.

    Args:
        samples: int16 [blocks, `BLOCK_FRAMES`, 2].
        steps: float32 [blocks], what one step of 16 bits is.
        powers: mean square of each tenth of a second.
    """

    samples: np.ndarray
    steps: np.ndarray
    powers: np.ndarray

    @classmethod
    def of(cls, blocks: Iterable[np.ndarray], frames: int) -> Take:
        """What was played in blocks, of so many frames."""
        count = -(-frames // BLOCK_FRAMES)
        samples = np.zeros((count, BLOCK_FRAMES, 2), dtype=np.int16)
        steps = np.zeros(count, dtype=np.float32)
        tenth, powers = SAMPLE_RATE_HZ // 10, [np.zeros(0)]
        for number, block in enumerate(blocks):
            step = max(float(block.max()), -float(block.min()), 1e-9) / 32_767
            samples[number, : len(block)] = np.rint(block * np.float32(1 / step))
            steps[number] = step
            tenths = mono(block)[: len(block) // tenth * tenth].reshape(-1, tenth)
            powers.append(np.einsum("ij,ij->i", tenths, tenths) / tenth)
        return cls(samples, steps, np.concatenate(powers))

    @property
    def level(self) -> float:
        """Root mean square of the tenths of a second that are not silent."""
        active = self.powers[self.powers > self.powers.max(initial=0.0) * 1e-4]
        return float(np.sqrt(active.mean())) if active.size else 0.0

    def _piece(self, number: int, part: slice) -> np.ndarray:
        if not 0 <= number < len(self.steps):
            return np.zeros((MARGIN_FRAMES, 2), dtype=np.float32)
        piece: np.ndarray = self.samples[number, part] * self.steps[number]
        return piece

    def blocks(self, gain: float) -> Iterator[np.ndarray]:
        """Its blocks times `gain`, each with `MARGIN_FRAMES` of the ones before and after, float32 [frames, 2]."""
        for number in range(len(self.steps)):
            before, after = self._piece(number - 1, slice(-MARGIN_FRAMES, None)), slice(None, MARGIN_FRAMES)
            block = np.concatenate([before, self._piece(number, slice(None)), self._piece(number + 1, after)])
            block *= np.float32(gain)
            yield block
