"""Text as lines a singer can breathe: broken where the text is, then at punctuation, then every few words."""

from __future__ import annotations

import itertools
import re

from rhapsody_lib.words.tokens import clean_text, tokenize_line

#: A line of more words than this is broken; pieces aim at `LINE_WORDS`.
MAX_LINE_WORDS, LINE_WORDS = 14, 8
#: Breaks only stand where white space does: no number, abbreviation or pair of words is taken apart.
_CLAUSE = re.compile(r"(?<=[,.;:!?。，！？；…])\s+|\s+(?=[-–—]\s)")


def _pieces(words: list[str]) -> list[str]:
    """Words in as few runs as possible of about `LINE_WORDS`, of even length."""
    count = max(1, round(len(words) / LINE_WORDS))
    edges = [round(index * len(words) / count) for index in range(count + 1)]
    return [" ".join(words[start:end]) for start, end in itertools.pairwise(edges)]


def break_line(line: str) -> list[str]:
    """One line as it is, or a long one in pieces; the words and their order stay."""
    if len(line.split()) <= MAX_LINE_WORDS:
        return [line]
    lines: list[str] = []
    pending: list[str] = []
    for clause in _CLAUSE.split(line):
        words = clause.split()
        if pending and len(pending) + len(words) > LINE_WORDS + 1:
            lines += _pieces(pending)
            pending = []
        pending += words
    return lines + (_pieces(pending) if pending else [])


def break_text(text: str) -> list[str]:
    """Cleaned text as lines that each hold at least one word; a line of punctuation alone joins the one before.

    Nothing but white space is lost: the lines joined with spaces are the cleaned text's words.
    """
    lines: list[str] = []
    opening = ""
    for raw in clean_text(text).split("\n"):
        words = raw.split()
        for line in break_line(" ".join(words)) if words else ():
            if tokenize_line(line):
                lines.append(f"{opening} {line}".strip())
                opening = ""
            elif lines:
                lines[-1] += f" {line}"
            else:
                opening = f"{opening} {line}".strip()
    return lines
