"""Songs of one form for one prompt, written section by section, many side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from rhapsody_lib.lyrics.batch import COMMON_WORDS, SongBatch
from rhapsody_lib.lyrics.form import SCHEMES, PlannedSection, rhyme_group
from rhapsody_lib.lyrics.line_writer import Line, LineWish, LineWriter
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.ranking import Written
from rhapsody_lib.lyrics.vocabulary import AGAIN_ID, SONG_ID, section_id
from rhapsody_lib.words.document import LyricSection
from rhapsody_lib.words.tokens import tokenize_line

#: Lines proposed for each line kept: few where many songs are written at once.
_BATCH_ROWS, _FEWEST_PROPOSALS, _MOST_PROPOSALS = 80, 4, 20
#: Syllables of a line are drawn between these, as often as the training songs have them.
_SHORTEST_LINE, _LONGEST_LINE = 6, 9
#: A prompt of one line of so many words may return in the chorus.
_SHORTEST_HOOK, _LONGEST_HOOK = 2, 9
Words = tuple[int, ...]


@dataclass(frozen=True)
class _Shape:
    """What was drawn for a song: by section kind its rhymes and syllables a line, and the chorus line of the prompt."""

    schemes: dict[str, str]
    syllables: dict[str, int]
    hook_line: int


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
    """

    def __init__(self, model: LyricsModel, prompt: list[str], plan: list[PlannedSection]) -> None:
        self._model, self._plan = model, plan
        tokens = [tokenize_line(line) for line in prompt]
        known = model.vocabulary.ids
        self._extra = tuple(dict.fromkeys(token for line in tokens for token in line if token not in known))
        self._ids = dict(known, **{word: len(known) + index for index, word in enumerate(self._extra)})
        self._prompt = {self._line(line): line for line in reversed(prompt)}
        self._theme = [known[token] for line in tokens for token in line if known.get(token, 0) >= COMMON_WORDS]
        strange = sum(token in self._extra or not token.isascii() for token in tokens[0])
        singable = len(prompt) == 1 and _SHORTEST_HOOK <= len(tokens[0]) <= _LONGEST_HOOK
        self._hook = self._line(prompt[0]) if singable and strange * 2 < len(tokens[0]) else None

    def _line(self, text: str) -> Words:
        return tuple(self._ids[token] for token in tokenize_line(text))

    def compose(self, songs: int, *, temperature: float, top_p: float, rng: np.random.Generator) -> list[Draft]:
        """Write `songs` songs."""
        batch = SongBatch(self._model, self._extra, self._theme, songs)
        proposals = int(np.clip(_BATCH_ROWS // songs, _FEWEST_PROPOSALS, _MOST_PROPOSALS))
        writer = LineWriter(batch, proposals=proposals, temperature=temperature, top_p=top_p, rng=rng)
        shapes = [self._draw_shape(batch, rng) for _ in range(songs)]
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
            draft.sections = self._to_read(batch, draft)
        return drafts

    def _draw_shape(self, batch: SongBatch, rng: np.random.Generator) -> _Shape:
        counts = self._model.steering.line_syllables[_SHORTEST_LINE : _LONGEST_LINE + 1] + 1.0
        drawn = int(rng.choice(np.arange(_SHORTEST_LINE, _LONGEST_LINE + 1), p=counts / counts.sum()))
        own = batch.count_syllables(next(reversed(self._prompt)))
        verse = own if _SHORTEST_LINE <= own <= _LONGEST_LINE else drawn
        chorus = int(np.clip(verse + rng.integers(-2, 2), _SHORTEST_LINE, _LONGEST_LINE))
        schemes = {kind: str(rng.choice(SCHEMES)) for kind in ("verse", "chorus", "other")}
        return _Shape(schemes, {"verse": verse, "chorus": chorus, "other": verse}, int(rng.integers(2)) * 3)

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
            found = writer.write(wishes)
            for (draft, _), known, wish, line in zip(songs, lines, wishes, found, strict=True):
                if wish:
                    known[place] = tuple(line.words) if line else None
                    self._note(batch, draft.written, wish, line)
            batch.read_lines([known[place] for known in lines])
        for (draft, _), known in zip(songs, lines, strict=True):
            draft.by_name[section.name] = tuple(line for line in known if line)

    def _words_after(self, draft: Draft, shape: _Shape, index: int, current: list[Words | None]) -> Words:
        """The words of the first later section of which any are known: those between may turn out to be impossible."""
        for section in self._plan[index + 1 :]:
            again = current if section.name == self._plan[index].name else draft.by_name.get(section.name)
            known = [line for line in again or self._given(section, shape) if line]
            if known:
                return _flat(known)
        return ()

    def _given(self, section: PlannedSection, shape: _Shape) -> list[Words | None]:
        lines: list[Words | None] = [self._line(line) for line in section.given]
        lines += [None] * (section.lines - len(lines))
        if self._hook and section.kind == "chorus" and not section.given:
            lines[min(shape.hook_line, section.lines - 1)] = self._hook
        return lines

    @staticmethod
    def _wish(section: PlannedSection, shape: _Shape, known: list[Words | None], place: int, after: Words) -> LineWish:
        kind = section.kind if section.kind in shape.schemes else "other"
        group = rhyme_group(shape.schemes[kind], section.lines, place)
        partners = [line[-1] for other in group if other != place and (line := known[other])]
        # Lines between may yet turn out to be impossible, so that what is known after them would follow this one.
        following = next((line for line in known[place + 1 :] if line), after)
        return LineWish(
            syllables=shape.syllables[kind],
            rhyme_with=partners[-1] if partners else None,
            opens_rhyme=not partners and max(group) > place,
            before=following,
        )

    @staticmethod
    def _note(batch: SongBatch, written: Written, wish: LineWish, line: Line | None) -> None:
        written.wished += 1
        if wish.rhyme_with is not None:
            written.rhymes.append(line.rhyme if line else 0.0)
        if line:
            written.lines.append(line)
            written.syllable_misses.append(abs(batch.count_syllables(line.words) - wish.syllables))

    def _to_read(self, batch: SongBatch, draft: Draft) -> tuple[LyricSection, ...]:
        write_line = self._model.vocabulary.write_line
        sections: list[LyricSection] = []
        skipped = False
        for section in self._plan:
            own = [
                self._prompt.get(line) or write_line([batch.words[word] for word in line])
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
