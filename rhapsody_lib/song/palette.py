"""Names and colours of the six parts, shared by the picture and the page.

The colours are those of Okabe and Ito (2008), told apart with every common colour vision.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PART_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "melody": "#D55E00",
        "piano": "#56B4E9",
        "guitar": "#E69F00",
        "bass": "#009E73",
        "strings": "#CC79A7",
        "drums": "#8A8F98",
        "vocal": "#C03A5B",
    }
)
