"""What lyrics bring along from where they were: stamps of karaoke files, what a site puts around them, escapes.

Each is looked for only where the text has the letters that it needs: most texts have none.
"""

from __future__ import annotations

import re

#: `[01:02.30]` before a line (LRC), `<01:02.30>` before a word (its extension).
_STAMP = re.compile(r"\[\d{1,3}:\d{2}(?:[.:]\d{1,3})?\]|<\d{1,3}:\d{2}(?:[.:]\d{1,3})?>")
_LRC_TAG = re.compile(
    r"^[ \t]*\[(?:ar|ti|al|au|by|lr|offset|length|re|ve|tool|id|la|#):[^\]\n]{0,200}\][ \t]*$", re.MULTILINE
)
#: The number, the times and the blank line between two cues of a subtitle (SRT).
_CUE = re.compile(r"\s{0,40}^\d{1,4}[ \t]*\n[ \t]*(?:\d{1,2}:)?\d{2}:\d{2}[,.]\d{3} --> [^\n]{0,60}\n", re.MULTILINE)
#: Genius glues its own words to the line before them; a line that is sung goes on after them.
_ALSO_LIKE = re.compile(r"(?:^|(?<=\S))You might also like(?=$|\S)", re.MULTILINE)
_CONTRIBUTORS = re.compile(r"\A\s*\d{1,4} Contributors?(?=\S)[^\n]{0,300}? Lyrics(?=$|\S)", re.MULTILINE)
_EMBED = re.compile(r"(?:(?<=\S)|^[ \t]*)\d{0,4}Embed(?:Share URLCopyEmbedCopy)?\s*\Z", re.MULTILINE)
_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((?:https?:/)?/[^()\s]{0,500}\)")
#: Below so many a slash between words stands for what it says.
_LEAST_SLASHES = 3
_BREAK = re.compile(r"(<br\s*/?>)[ \t]*\n", re.IGNORECASE)


def without_traces(text: str) -> str:
    """The text with its own line breaks, without stamps, a site's own words and links."""
    text = _with_lines(text)
    if ":" in text:
        if "-->" in text:
            text = _CUE.sub("\n", text)
        if "[" in text or "<" in text:
            stamped = _STAMP.sub("", text)
            text = _LRC_TAG.sub("", stamped) if stamped != text else text
    if "You might also like" in text:
        text = _ALSO_LIKE.sub("\n", text)
    if "Contributor" in text:
        text = _CONTRIBUTORS.sub("", text)
    if "Embed" in text:
        text = _EMBED.sub("", text)
    return _LINK.sub(r"\1", text) if "](" in text else text


def _with_lines(text: str) -> str:
    """A line break for each that a table's writer escaped or wrote as a slash; one for a tag and the break after it."""
    if "<" in text:
        text = _BREAK.sub(r"\1", text)
    if "\n" in text:
        return text
    text = text.replace("\\r\\n", "\n").replace("\\n", "\n")
    return text.replace(" / ", "\n") if "\n" not in text and text.count(" / ") >= _LEAST_SLASHES else text
