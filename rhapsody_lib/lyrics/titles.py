"""A title from the words of a song: its hook."""

from __future__ import annotations

from collections.abc import Sequence

from rhapsody_lib.words.document import Lyrics

_SMALL = frozenset(
    ("a", "an", "and", "as", "at", "but", "by", "for", "from", "in", "into", "of", "on", "or", "the", "to", "with")
)
_OPENERS = frozenset(("a", "an", "the", "my", "your", "our", "his", "her", "their", "this", "no", "every"))
_SUBJECTS = frozenset(("i", "you", "we", "he", "she", "they", "it", "there", "who", "nobody", "somebody", "everybody"))
#: Words that begin a clause wherever they stand, and those that do so before a subject alone.
_CLAUSE_OPENERS = frozenset(
    ("so", "but", "when", "while", "where", "because", "'cause", "cause", "until", "till", "'til", "if", "though")
)
_JOINTS = frozenset(("and", "or", "that", "as", "for", "since", "before", "after", "than"))
_LINKS = frozenset(("and", "but", "so", "or"))
_DANGLING_WORDS = (
    "am is are was were be been has have had will would can could do does did not don't didn't can't won't too very "
    "more like about without"
)
#: What no title ends with, unless its line does.
_DANGLING = {*_SMALL, *_OPENERS, *_SUBJECTS, *_CLAUSE_OPENERS, *_JOINTS, *_DANGLING_WORDS.split()}
#: What not even a line ends with as a title.
_CONNECTIVES = frozenset(("a", "an", "the", "and", "or", "but", "nor", "my", "your", "our", "their", "every"))
_MOST_WORDS = 6
_TRAILING = ".,;:!?-\"'"


def title_case(words: Sequence[str]) -> str:
    """Words as a title: capitals but for small words inside."""
    last = len(words) - 1
    return " ".join(
        word if word.lower() in _SMALL and 0 < index < last else word[:1].upper() + word[1:]
        for index, word in enumerate(words)
    )


def _plain(word: str) -> str:
    return word.lower().replace("’", "'").strip('.,;:!?-"()')


def _clauses(words: Sequence[str]) -> list[list[str]]:
    """The clauses of a line: parted at punctuation and before words that begin one."""
    clauses: list[list[str]] = [[]]
    for place, word in enumerate(words):
        plain, after = _plain(word), _plain(words[place + 1]) if place + 1 < len(words) else ""
        begins = plain in _CLAUSE_OPENERS or (plain in _JOINTS and after.partition("'")[0] in _SUBJECTS)
        if clauses[-1] and (begins or clauses[-1][-1][-1] in ",;:.!?"):
            clauses.append([])
        clauses[-1].append(word)
    return clauses


def _shortened(words: Sequence[str]) -> list[str]:
    """A part of a long line that can stand alone, of at most `_MOST_WORDS`: a clause, else its last noun phrase.

    A noun phrase is known as far as an article or a possessive shows where it begins.
    """
    clauses = _clauses(words)
    for clause in clauses if len(clauses) > 1 else ():
        told = clause[1:] if _plain(clause[0]) in _LINKS else clause
        if 3 <= len(told) <= _MOST_WORDS and _plain(told[-1]) not in _DANGLING:
            return list(told)
    starts = [place for place, word in enumerate(words) if word.lower() in _OPENERS and len(words) - place >= 2]
    fitting = [place for place in starts if len(words) - place <= _MOST_WORDS]
    if fitting:
        return list(words[fitting[0] :])
    first = list(words[1:] if _plain(words[0]) in _LINKS else words)[:_MOST_WORDS]
    while len(first) > 1 and _plain(first[-1]) in _DANGLING:
        first.pop()
    return first


def hook_title(lyrics: Lyrics, opening: str = "") -> str:
    """The title of a song that was given none: the shorter of the outer lines of its chorus, else of its opening.

    The song's opening line, where it is given and returns in the chorus, is the hook. A long line gives a part of
    itself (`_shortened`).
    """
    sections = [section for section in lyrics.sections if section.kind in ("chorus", "refrain")] or lyrics.sections
    lines = sections[0].lines
    returns = bool(opening) and sections[0] is not lyrics.sections[0] and opening in lines
    words = (opening if returns else min((lines[0], lines[-1]), key=lambda line: len(line.split()))).split()
    if not returns and len(words) > _MOST_WORDS:
        words = _shortened(words)
    while len(words) > 1 and _plain(words[-1]) in _CONNECTIVES:
        words = words[:-1]
    # A prompt may be one word of thousands of letters.
    return title_case(words).rstrip(_TRAILING)[:120].strip() or lines[0][:120]
