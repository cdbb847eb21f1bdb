"""Patterns into notes: chord parts, bass and drums of one bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rhapsody_lib.music.barplan import Bar
from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.grooves import DRUM_KIT, STEP_TICKS, Groove, bar_of, tokens
from rhapsody_lib.music.score import TICKS_PER_BEAT, Note
from rhapsody_lib.music.styles import bar_steps
from rhapsody_lib.music.voicing import lead, nearest

#: Returns a small deterministic change of velocity at each call.
Wobble = Callable[[], int]


def _velocity(base: float, bar: Bar, wobble: Wobble) -> int:
    return max(1, min(127, round(base * bar.gain) + wobble()))


@dataclass
class ChordPlayer:
    """Piano, guitar or strings. `low` to `high` is where chords are voiced, `bass_low` where low roots start."""

    low: int
    high: int
    bass_low: int
    voices: int
    loudness: int
    wobble: Wobble
    _voicing: tuple[int, ...] = ()
    _symbol: ChordSymbol | None = None

    def _voices_of(self, symbol: ChordSymbol) -> tuple[int, ...]:
        if symbol != self._symbol:
            self._voicing = lead(symbol, self._voicing, self.low, self.high, self.voices)
            self._symbol = symbol
        return self._voicing

    def _root(self, pitch_class: int) -> int:
        return self.bass_low + (pitch_class - self.bass_low) % 12

    def _pitches(self, sign: str, symbol: ChordSymbol) -> tuple[int, ...]:
        chord = self._voices_of(symbol)
        root = self._root(symbol.bass)
        fifth = symbol.root + (6 if "dim" in symbol.quality or "b5" in symbol.quality else 7)
        if sign in "0123456789":
            return (chord[int(sign) % len(chord)] + 12 * (int(sign) // len(chord)),)
        return {
            "x": chord,
            "X": chord,
            "u": chord[-3:] if len(chord) > 3 else chord[1:],
            "b": (root,),
            "f": (self._root(fifth % 12),),
            "B": (root, *(pitch for pitch in chord if pitch > root)),
            "p": (self._root(symbol.root), self._root(symbol.root) + (fifth - symbol.root)),
            "q": (self._root(symbol.root), self._root(symbol.root) + 9),
        }[sign]

    def play(self, pattern: str, bar: Bar) -> Iterator[Note]:
        """Notes of one bar. A sound held over a change of chord is cut there and struck again."""
        steps = bar_of(pattern, bar.number, bar_steps(bar.metre))
        for step, length, sign in tokens(steps):
            position = bar.start_ticks + step * STEP_TICKS
            end = min(position + length * STEP_TICKS, bar.end_ticks)
            loudness = self.loudness * {"X": 1.15, "u": 0.82, "B": 1.06}.get(sign, 1.0) * (1.05 if step == 0 else 1.0)
            while position < end:
                symbol = bar.chord_at(position)
                change = next((start for start, _, _ in bar.chords if start > position), end)
                until = min(end, change)
                velocity = _velocity(loudness, bar, self.wobble)
                for pitch in self._pitches(sign, symbol):
                    yield Note(position, pitch, until - position, velocity)
                if until < end and length < 3:
                    break
                position = until

    def hold(self, bar: Bar) -> Iterator[Note]:
        """The whole bar as one chord over its root: how a song ends."""
        yield from self.play("B" + "-" * (bar_steps(bar.metre) - 1), bar)


@dataclass
class BassPlayer:
    """The bass line: roots near the last ones, degrees above them, approaches and walks."""

    key: Key
    chromatic: bool
    loudness: int
    wobble: Wobble
    low: int = 28
    high: int = 52
    _last: int = 36

    def _near(self, pitch_class: int) -> int:
        return nearest(pitch_class, self._last * 0.6 + 36 * 0.4, self.low, self.high)

    def _root_of(self, symbol: ChordSymbol) -> int:
        return self._near(symbol.bass)

    def _degree(self, sign: str, symbol: ChordSymbol, root: int) -> int:
        tones = [(tone - symbol.bass) % 12 for tone in symbol.pitch_classes]
        third = next((step for step in (4, 3, 5, 2) if step in tones), 4)
        fifth = next((step for step in (7, 6, 8) if step in tones), 7)
        above = {"3": third, "5": fifth, "6": 9 if third != 3 else 10, "7": 11 if 11 in tones else 10, "8": 12}[sign]
        pitch = root + above
        if sign != "8" and pitch > self.high - 8:
            pitch -= 12
        return pitch if pitch >= self.low else pitch + 12

    def _approach(self, target: ChordSymbol, current: ChordSymbol, last: int) -> int:
        """A step below or above the next root, from the side of the last note; the fifth if the root stays."""
        goal = nearest(target.bass, last, self.low, self.high)
        if target.bass == current.bass:
            return self._degree("5", current, self._root_of(current))
        side = 1 if last > goal else -1
        steps = [1, 2] if self.chromatic else [2, 1]
        choice = next((s for s in steps if (goal + side * s) % 12 in self.key.scale), 1)
        pitch = goal + side * (1 if self.chromatic else choice)
        return min(max(pitch, self.low), self.high)

    def _walk(self, bar: Bar, position: int) -> int:
        """One note of a walking line: root on a new chord, approach before the next, chord and scale tones between."""
        symbol = bar.chord_at(position)
        span = next((span for span in bar.chords if span[0] <= position < span[1]), bar.chords[-1])
        if position == span[0]:
            return self._root_of(symbol)
        if position + TICKS_PER_BEAT >= span[1]:
            return self._approach(bar.after(position), symbol, self._last)
        beat = (position - span[0]) // TICKS_PER_BEAT
        goal = nearest(bar.after(position).bass, self._last, self.low, self.high)
        up = goal >= self._last if abs(goal - self._last) > 2 else bar.number % 2 == 0
        classes = symbol.pitch_classes if beat % 2 == 0 else (*symbol.pitch_classes, *self.key.scale)
        steps = range(1, 8) if up else range(-1, -8, -1)
        choice = next((s for s in steps if abs(s) > 1 and (self._last + s) % 12 in classes), 0)
        return min(max(self._last + choice, self.low), self.high)

    def play(self, pattern: str, bar: Bar) -> Iterator[Note]:
        """Notes of one bar. A held note is cut where the chord changes, and the new root struck."""
        for step, length, sign in tokens(bar_of(pattern, bar.number, bar_steps(bar.metre))):
            position = bar.start_ticks + step * STEP_TICKS
            end = min(position + length * STEP_TICKS, bar.end_ticks)
            mark = sign
            while position < end:
                symbol = bar.chord_at(position)
                until = min(end, next((start for start, _, _ in bar.chords if start > position), end))
                if any(start == position for start, _, _ in bar.chords) and mark in "35678a":
                    mark = "r"
                pitch = self._pitch(mark, bar, position, symbol)
                loudness = self.loudness * (1.1 if sign == "R" else 1.0)
                yield Note(position, pitch, until - position, _velocity(loudness, bar, self.wobble))
                position, mark = until, "r"

    def _pitch(self, sign: str, bar: Bar, position: int, symbol: ChordSymbol) -> int:
        root = self._root_of(symbol)
        if sign == "w":
            pitch = self._walk(bar, position)
        elif sign == "a":
            pitch = self._approach(bar.after(position), symbol, root)
        elif sign in "rR":
            pitch = root
        else:
            return self._degree(sign, symbol, root)
        self._last = pitch
        return pitch


def _hits(patterns: Mapping[str, str], bar: Bar, wobble: Wobble, softness: float) -> Iterator[Note]:
    for drum, pattern in patterns.items():
        pitch, loudness = DRUM_KIT[drum]
        for step, _, sign in tokens(bar_of(pattern, bar.number, bar_steps(bar.metre))):
            accent = {"X": 1.18, "o": 0.6}.get(sign, 1.0) * (1.08 if step == 0 else 1.0)
            position = bar.start_ticks + step * STEP_TICKS
            velocity = _velocity(loudness * accent * softness, bar, wobble)
            yield Note(position, pitch, min(STEP_TICKS, bar.end_ticks - position), velocity)


def play_drums(groove: Groove, bar: Bar, *, soft: bool, wobble: Wobble) -> Iterator[Note]:
    """Drums of one bar: the groove; a fill in a section's last bar; a crash where a full section starts."""
    softness = 0.82 if soft else 1.0
    if bar.is_final:
        final = {"triangle": "x"} if "triangle" in groove.drums[1] else {"kick": "x", "crash": "x"}
        one_hit = {drum: "x" + "." * (bar_steps(bar.metre) - 1) for drum in final}
        yield from _hits(one_hit, bar, wobble, softness * 0.9)
        return
    hits = list(_hits(groove.drums[bar.full], bar, wobble, softness)) if bar.with_drums else []
    if bar.is_last and (bar.with_drums or bar.kind == "intro"):
        fill = list(_hits(groove.fill, bar, wobble, softness * 0.92))
        opening = min((n.start_ticks for n in fill if n.pitch != DRUM_KIT["kick"][0]), default=bar.end_ticks)
        opening = max(opening, bar.start_ticks + bar.metre.bar_ticks // 2)
        hits = [n for n in hits if n.start_ticks < opening] + [n for n in fill if n.start_ticks >= opening]
    if bar.number == 0 and bar.full and not soft:
        hits = [n for n in hits if n.start_ticks > bar.start_ticks or n.pitch not in {42, 46, 51}]
        yield Note(bar.start_ticks, DRUM_KIT["crash"][0], STEP_TICKS, _velocity(DRUM_KIT["crash"][1], bar, wobble))
    yield from hits
