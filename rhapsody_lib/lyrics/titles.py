"""A title from the words of a song: its hook."""

from __future__ import annotations

from collections.abc import Sequence

from rhapsody_lib.words.document import Lyrics

_SMALL = frozenset(
    ("a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "into", "of", "on", "or", "the", "to", "with")
)
_OPENERS = frozenset(("a", "an", "the", "my", "your", "our", "his", "her", "their", "this", "that", "no", "every"))
_MOST_WORDS = 6
_TRAILING = ".,;:!?-\"'"


def title_case(words: Sequence[str]) -> str:
    """Words as a title: capitals but for small words inside."""
    last = len(words) - 1
    return " ".join(
        word if word.lower() in _SMALL and 0 < index < last else word[:1].upper() + word[1:]
        for index, word in enumerate(words)
    )


def hook_title(lyrics: Lyrics, opening: str = "") -> str:
    """The title of a song that was given none: the shorter of the outer lines of its chorus, else of its opening.

    The song's opening line, where it is given and returns in the chorus, is the hook.
    A long line gives its last noun phrase, as far as an article or a possessive shows where that begins.
    """
    sections = [section for section in lyrics.sections if section.kind in ("chorus", "refrain")] or lyrics.sections
    lines = sections[0].lines
    returns = bool(opening) and sections[0] is not lyrics.sections[0] and opening in lines
    words = (opening if returns else min((lines[0], lines[-1]), key=lambda line: len(line.split()))).split()
    if not returns and len(words) > _MOST_WORDS:
        starts = [place for place, word in enumerate(words) if word.lower() in _OPENERS and len(words) - place >= 2]
        fitting = [place for place in starts if len(words) - place <= _MOST_WORDS]
        words = words[fitting[0] :] if fitting else words[:_MOST_WORDS]
    while len(words) > 1 and words[-1].lower() in _SMALL:
        words = words[:-1]
    # A prompt may be one word of thousands of letters.
    return title_case(words).rstrip(_TRAILING)[:120].strip() or lines[0][:120]
