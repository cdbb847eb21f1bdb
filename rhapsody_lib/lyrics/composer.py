"""Songs of one form for one prompt, written section by section, many side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from rhapsody_lib.lyrics.batch import SongBatch
from rhapsody_lib.lyrics.copying import COPY_WORDS
from rhapsody_lib.lyrics.form import SCHEMES, PlannedSection, rhyme_group
from rhapsody_lib.lyrics.line_writer import Kept, LineWish, LineWriter
from rhapsody_lib.lyrics.model import LyricsModel, State
from rhapsody_lib.lyrics.palette import Palette
from rhapsody_lib.lyrics.ranking import Written
from rhapsody_lib.lyrics.sampling import Ids
from rhapsody_lib.lyrics.vocabulary import AGAIN_ID, SONG_ID, section_id
from rhapsody_lib.words.document import LyricSection
from rhapsody_lib.words.tokens import tokenize_line

#: Lines proposed for each line kept: rows of a batch shared by its songs, within limits; the fewest for a song alone,
#: which is asked for where speed counts.
_BATCH_ROWS, _FEWEST_PROPOSALS, _MOST_PROPOSALS, _PROPOSALS_ALONE = 48, 3, 6, 3
#: Syllables of a line are drawn between these, as often as the training songs have them.
_SHORTEST_LINE, _LONGEST_LINE = 6, 10
#: A prompt of one line of so many words may return in the chorus.
_SHORTEST_HOOK, _LONGEST_HOOK = 2, 9
#: Kinds of sections that have rhymes and lengths of lines of their own.
_KINDS = ("verse", "chorus", "other")
Words = tuple[int, ...]


@dataclass(frozen=True)
class LineLength:
    """How long lines are asked to be, at most one of both; by default as those of the training songs, by syllables."""

    syllables: int | None = None
    words: int | None = None


@dataclass(frozen=True)
class _Shape:
    """What was drawn for a song.

    Args:
        draws: by section kind a number in [0, 1) that chooses its rhymes.
        sizes: by section kind the length of its lines.
        hook_line: the line of the chorus that is the prompt, where it returns.
    """

    draws: dict[str, float]
    sizes: dict[str, int]
    hook_line: int

    def scheme(self, kind: str, lines: int) -> str:
        """The rhyme scheme of a section: the same for all of its kind and length."""
        schemes = SCHEMES[lines]
        return schemes[int(self.draws[kind] * len(schemes))]


@dataclass
class Draft:
    """A song as it is written. `sections` is its words to read, in order of performance."""

    sections: tuple[LyricSection, ...] = ()
    written: Written = field(default_factory=Written)
    by_name: dict[str, tuple[Words, ...]] = field(default_factory=dict)


class Composer:
    """Writes songs of one plan for one prompt.

    Args:
        model: the trained model.
        prompt: the prompt's lines.
        plan: the sections, of which the first hold the prompt.
        length: how long lines are to be.
    """

    def __init__(
        self, model: LyricsModel, prompt: list[str], plan: list[PlannedSection], length: LineLength | None = None
    ) -> None:
        self._model, self._plan, self._length = model, plan, length or LineLength()
        tokens = [tokenize_line(line) for line in prompt]
        self._palette = Palette(model, [token for line in tokens for token in line])
        self._prompt = {self._line(line): line for line in reversed(prompt)}
        self._last = self._line(prompt[-1])
        known = model.vocabulary.ids
        strange = sum(token not in known or not token.isascii() for token in tokens[0])
        singable = len(prompt) == 1 and _SHORTEST_HOOK <= len(tokens[0]) <= _LONGEST_HOOK
        self._hook = self._line(prompt[0]) if singable and strange * 2 < len(tokens[0]) else None
        self._sizes: Ids = self._palette.syllables
        if self._length.words:
            self._sizes = np.minimum(self._sizes, 1)

    def _line(self, text: str) -> Words:
        return tuple(self._palette.places[token] for token in tokenize_line(text))

    def compose(self, songs: int, *, temperature: float, top_p: float, rng: np.random.Generator) -> list[Draft]:
        """Write `songs` songs."""
        batch = SongBatch(self._model, self._palette, songs)
        shared = int(np.clip(_BATCH_ROWS // songs, _FEWEST_PROPOSALS, _MOST_PROPOSALS))
        proposals = shared if songs > 1 else _PROPOSALS_ALONE
        writer = LineWriter(batch, self._sizes, proposals=proposals, temperature=temperature, top_p=top_p, rng=rng)
        shapes = [self._draw_shape(rng) for _ in range(songs)]
        drafts = [Draft() for _ in range(songs)]
        batch.read_mark(SONG_ID)
        for index, section in enumerate(self._plan):
            batch.read_mark(section_id(section.kind))
            if section.name in drafts[0].by_name:
                batch.read_mark(AGAIN_ID)
                batch.say_again([_flat(draft.by_name[section.name]) for draft in drafts])
            else:
                self._write_section(batch, writer, list(zip(drafts, shapes, strict=True)), index)
        for draft in drafts:
            draft.sections = self._to_read(draft)
        return drafts

    def _draw_shape(self, rng: np.random.Generator) -> _Shape:
        counts = self._model.steering.line_syllables[_SHORTEST_LINE : _LONGEST_LINE + 1] + 1.0
        drawn = int(rng.choice(np.arange(_SHORTEST_LINE, _LONGEST_LINE + 1), p=counts / counts.sum()))
        own = self._palette.count_syllables(self._last)
        verse = own if _SHORTEST_LINE <= own <= _LONGEST_LINE else drawn
        chorus = int(np.clip(verse + rng.integers(-2, 2), _SHORTEST_LINE, _LONGEST_LINE))
        if asked := self._length.syllables or self._length.words:
            verse = chorus = asked
        draws = {kind: float(rng.random()) for kind in _KINDS}
        return _Shape(draws, {"verse": verse, "chorus": chorus, "other": verse}, int(rng.integers(2)) * 3)

    def _write_section(
        self, batch: SongBatch, writer: LineWriter, songs: list[tuple[Draft, _Shape]], index: int
    ) -> None:
        """Write a section that is new, line by line in all songs, and let the batch read it."""
        section = self._plan[index]
        lines: list[list[Words | None]] = [self._given(section, shape) for _, shape in songs]
        for place in range(section.lines):
            wishes: list[LineWish | None] = []
            for (draft, shape), known in zip(songs, lines, strict=True):
                after = self._words_after(draft, shape, index, known)
                wishes.append(None if known[place] else self._wish(section, shape, known, place, after))
            batch.read_lines([known[place] for known in lines])
            found = writer.write(wishes)
            states: list[State | None] = [None] * len(songs)
            for song, (wish, kept) in enumerate(zip(wishes, found, strict=True)):
                if wish:
                    lines[song][place] = tuple(kept.line.words) if kept else None
                    states[song] = kept.states if kept else None
                    self._note(songs[song][0].written, wish, kept)
            batch.keep_lines(
                [known[place] if wish else None for known, wish in zip(lines, wishes, strict=True)], states
            )
        for (draft, _), known in zip(songs, lines, strict=True):
            draft.by_name[section.name] = tuple(line for line in known if line)

    def _words_after(self, draft: Draft, shape: _Shape, index: int, current: list[Words | None]) -> Words:
        """The first words known of later sections, for a run at least: those between may turn out to be impossible."""
        words: Words = ()
        for section in self._plan[index + 1 :]:
            if len(words) >= COPY_WORDS - 1:
                break
            again = current if section.name == self._plan[index].name else draft.by_name.get(section.name)
            words += _flat(line for line in again or self._given(section, shape) if line)
        return words

    def _given(self, section: PlannedSection, shape: _Shape) -> list[Words | None]:
        lines: list[Words | None] = [self._line(line) for line in section.given]
        lines += [None] * (section.lines - len(lines))
        if self._hook and section.kind == "chorus" and not section.given:
            lines[min(shape.hook_line, section.lines - 1)] = self._hook
        return lines

    @staticmethod
    def _wish(section: PlannedSection, shape: _Shape, known: list[Words | None], place: int, after: Words) -> LineWish:
        kind = section.kind if section.kind in _KINDS else "other"
        group = rhyme_group(shape.scheme(kind, section.lines), place)
        partners = [line[-1] for other in group if other != place and (line := known[other])]
        # Lines between may yet turn out to be impossible, so that what is known after them would follow this one.
        following = _flat(line for line in known[place + 1 :] if line) + after
        return LineWish(
            size=shape.sizes[kind],
            rhyme_with=partners[-1] if partners else None,
            opens_rhyme=not partners and max(group) > place,
            before=following,
        )

    def _note(self, written: Written, wish: LineWish, kept: Kept | None) -> None:
        written.wished += 1
        if wish.rhyme_with is not None:
            written.rhymes.append(kept.line.rhyme if kept else 0.0)
        if kept:
            written.lines.append(kept.line)
            written.misses.append(abs(int(self._sizes[kept.line.words].sum()) - wish.size))

    def _to_read(self, draft: Draft) -> tuple[LyricSection, ...]:
        write_line = self._model.vocabulary.write_line
        sections: list[LyricSection] = []
        skipped = False
        for section in self._plan:
            own = [
                self._prompt.get(line) or write_line([self._palette.texts[word] for word in line])
                for line in draft.by_name[section.name][len(section.given) :]
            ]
            # A verse that could not be written would leave two choruses side by side.
            doubled = skipped and section.name == sections[-1].name
            skipped = not (section.given or own) or doubled
            if not skipped:
                sections.append(LyricSection(section.name, (*section.given, *own)))
        return tuple(sections)


def _flat(lines: Iterable[Words]) -> Words:
    return tuple(word for line in lines for word in line)
