"""What the fields of a table or of JSON lines say: names, titles, years, genres, as people and programs write them."""

from __future__ import annotations

import html
import re

from rhapsody_lib.corpus.found import one_line

#: Years that a song can be of.
YEARS = range(1000, 2200)
MAX_GENRES = 32
#: What programs write where there is no value. A song may be called `None`.
_MISSING = frozenset({"nan", "n/a", "null", "none"})
_MISSING_TITLES = frozenset({"nan", "NaN", "null"})
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_YEAR = re.compile(r"\s*(\d{4})(?!\d)", re.ASCII)
#: An item of a list as Python or JSON writes it.
_ITEM = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^\[\],'\"\s][^\[\],]*)")


def _unescaped(text: str) -> str:
    """With the characters that references of HTML stand for; some are escaped twice."""
    for _ in range(2):
        if "&" not in text:
            break
        text = _REFERENCE.sub(lambda match: html.unescape(match.group()), text)
    return text


def name_of(text: str) -> str:
    """The name of an artist in one line; '' for a value that is missing."""
    name = one_line(_unescaped(text))
    return "" if name.lower() in _MISSING else name


def title_of(text: str) -> str:
    """A title in one line; '' for a value that is missing."""
    title = one_line(_unescaped(text))
    return "" if title in _MISSING_TITLES else title


def genres_of(text: str) -> tuple[str, ...]:
    """Genres that a text names, separated by `;` or `|`, or as a list (`['rock', 'pop']`)."""
    text = _unescaped(text).strip()
    if text.startswith("[") and text.endswith("]"):
        parts = ["".join(item) for item in _ITEM.findall(text)]
    else:
        parts = re.split("[;|]", text)
    return tuple(dict.fromkeys(name for part in parts if (name := name_of(part))))[:MAX_GENRES]


def year_of(text: str) -> int:
    """The year that a text starts with, such as that of a date: four digits and no more; 0 for none."""
    match = _YEAR.match(text)
    year = int(match.group(1)) if match else 0
    return year if year in YEARS else 0
