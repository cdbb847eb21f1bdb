"""The notes that carry a line's syllables, once their onsets are known.

A syllable takes the melody's note at its onset. Notes passed over are sung on the same syllable (a melisma), equal
pitches joined; those after a rest are left out. A note that carries two syllables repeats its pitch; one that carries
more, over the rest after it too, moves towards the next note, by chord tones on the beats and scale tones between.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from itertools import pairwise

from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.score import PART_RANGES, TICKS_PER_BEAT, Note
from rhapsody_lib.song.phrase import BREATH_TICKS, Phrase

#: Most notes that one syllable is sung on; further ones are joined to the last.
MAX_MELISMA = 3
FILL_VELOCITY = 84
#: A syllable that ends its word is not sung on beyond a longer rest of the melody.
LONGEST_GAP_TICKS = TICKS_PER_BEAT // 2
#: A syllable inside a word is held up to a bar of four quarters, that the word be not torn apart.
LONGEST_HOLD_TICKS = 4 * TICKS_PER_BEAT
ChordAt = Callable[[int], ChordSymbol | None]


def nearest_pitch(target: float, pitch_classes: Sequence[int]) -> int:
    """The melody pitch of one of the pitch classes that is nearest to `target`, the lower of two."""
    low, high = PART_RANGES["melody"]
    return min(
        (pitch for pitch in range(low, high + 1) if pitch % 12 in pitch_classes), key=lambda p: (abs(p - target), p)
    )


def chord_tone_notes(phrase: Phrase, count: int, near_pitch: int, key: Key, chord_at: ChordAt) -> tuple[Note, ...]:
    """A melody for a phrase that has none: long chord tones, one a bar at most, an arch around `near_pitch`.

    Args:
        phrase: the empty phrase.
        count: at most so many notes.
        near_pitch: where the voice was before.
        key: used where no chord sounds.
        chord_at: the chord at a tick.
    """
    starts = sorted({max(phrase.start_ticks, start) for start, _ in phrase.bars})[: max(1, count)]
    end = phrase.end_ticks - phrase.breath_ticks
    starts = [start for start in starts if end - start >= phrase.min_ticks] or [phrase.start_ticks]
    notes = []
    for index, (start, after) in enumerate(pairwise([*starts, max(end, starts[-1] + 1)])):
        chord = chord_at(start)
        target = near_pitch + (2 if 0 < index < len(starts) - 1 else 0)
        pitch = nearest_pitch(target, chord.pitch_classes if chord else key.scale)
        notes.append(Note(start, pitch, after - start, FILL_VELOCITY))
    return tuple(notes)


def _piece_pitch(
    phrase: Phrase, note: Note, target: int, place: tuple[int, int], onset: int, key: Key, chord_at: ChordAt
) -> int:
    """Pitch of syllable `place[0]` of the `place[1]` that a note carries, on the way to the pitch `target`."""
    index, pieces = place
    if index == 0 or pieces <= 2:
        return note.pitch
    arch = 2.5 if target == note.pitch and index % 4 in (2, 3) else 0.0
    aim = note.pitch + (target - note.pitch) * index / pieces + arch
    chord = chord_at(onset)
    strong = phrase.weight(onset) >= 1.0 and chord is not None
    return nearest_pitch(aim, chord.pitch_classes if strong and chord else key.scale)


def _base_note(notes: Sequence[Note], onset: int) -> tuple[int, Note]:
    """(index, note) of the melody that sounds at an onset or did last; the first note before all."""
    index = max(0, bisect.bisect_right([note.start_ticks for note in notes], onset) - 1)
    return index, notes[index]


def _melisma(notes: Sequence[Note], head: Note, limit: int, min_ticks: int) -> list[Note]:
    """`head` and the melody's notes after it up to `limit` or to a rest, on one syllable."""
    run = [head]
    for note in notes:
        last = run[-1]
        if note.start_ticks - last.end_ticks > LONGEST_GAP_TICKS:
            break
        joined = note.pitch == last.pitch or len(run) == MAX_MELISMA or note.start_ticks - last.start_ticks < min_ticks
        if joined or limit - note.start_ticks < min_ticks:
            run[-1] = _until(last, max(last.end_ticks, min(note.end_ticks, limit)))
        else:
            run[-1] = _until(last, note.start_ticks)
            run.append(_until(note, min(note.end_ticks, limit)))
    return run


def _until(note: Note, end_ticks: int) -> Note:
    return Note(note.start_ticks, note.pitch, end_ticks - note.start_ticks, note.velocity)


def sing(
    phrase: Phrase, onsets: Sequence[int], ends_word: Sequence[bool], key: Key, chord_at: ChordAt
) -> tuple[Note, ...]:
    """The melody of a phrase with a note at each of `onsets`: monophonic, inside the phrase.

    Args:
        phrase: its notes are the melody to sing on, at least one.
        onsets: rising ticks, one for each syllable.
        ends_word: whether each syllable ends its word; one that does not is held over a rest to the next.
        key: for tones between chord tones.
        chord_at: the chord at a tick.
    """
    melody, sung = phrase.notes, []
    bases = [_base_note(melody, onset) for onset in onsets]
    pieces = [index for index, _ in bases]
    for number, (onset, limit) in enumerate(pairwise([*onsets, phrase.end_ticks])):
        index, base = bases[number]
        place = (number - pieces.index(index), pieces.count(index))
        target = melody[min(index + 1, len(melody) - 1)].pitch
        pitch = _piece_pitch(phrase, base, target, place, onset, key, chord_at)
        end = base.end_ticks if base.start_ticks <= onset < base.end_ticks else onset + TICKS_PER_BEAT
        end = min(limit, max(end, onset + phrase.min_ticks))
        head = Note(onset, pitch, end - onset, base.velocity)
        passed = [note for note in melody if onset < note.start_ticks < limit]
        run = _melisma(passed, head, limit, phrase.min_ticks)
        if not ends_word[number] and limit - run[-1].start_ticks <= LONGEST_HOLD_TICKS:
            run[-1] = _until(run[-1], limit)
        sung += run
    return tuple(_breathe(sung, phrase))


def _breathe(notes: list[Note], phrase: Phrase) -> list[Note]:
    """End the last note early enough for a breath, if it stays as long as an eighth note."""
    last, end = notes[-1], phrase.end_ticks - BREATH_TICKS
    if last.end_ticks > end and end - last.start_ticks >= BREATH_TICKS:
        notes[-1] = _until(last, end)
    return notes
