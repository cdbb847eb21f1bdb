"""Patterns in 3/4 (steps 0, 4, 8 are the beats) and 6/8 (steps 0 and 6): twelve steps a bar, for families of styles."""

from __future__ import annotations

from collections.abc import Mapping

from rhapsody_lib.music.grooves import Groove

_WHOLE = "x-----------"
_REST = "............"

#: Families in 3/4.
THREE: Mapping[str, Groove] = {
    "waltz": Groove(
        drums=(
            {"kick": "x...........", "rim": "....o...o...", "ride": "x...x...x..."},
            {"kick": "x...........", "snare": "....x...x...", "ride": "X...x...x.x."},
        ),
        fill={"kick": "x...........", "snare": "....x.x.x.xx"},
        piano=("b---x---x---", "B---x---x-u-"),
        guitar=("....x---x---", "b---x---x-u-|f---x---x-u-"),
        bass=("R-------....|5-------....", "R-------5---|5-------..a-"),
        strings=(_WHOLE, _WHOLE),
    ),
    "soft": Groove(
        drums=({"triangle": "o..........."}, {"triangle": "x...........", "shaker": "..o.o.o.o.o."}),
        fill={"triangle": "x.......o..."},
        piano=("b-1-2-3-2-1-", "B-1-2-3-2-1-"),
        guitar=("............|x-----------", "b---1---2---"),
        bass=("R-----------", "R-------5---"),
        strings=(_REST, _WHOLE),
    ),
    "folk": Groove(
        drums=(
            {"kick": "x...........", "shaker": "....x...x..."},
            {"kick": "x...........", "tambourine": "....x...x...", "shaker": "x.o.x.o.x.o."},
        ),
        fill={"kick": "x.......x...", "tambourine": "....x.x.x.x."},
        piano=("............|x-----------", "b---x---x---"),
        guitar=("b-2-1-2-1-2-", "b---x-u-x-u-|f---x-u-x-u-"),
        bass=("R-----------|5-----------", "R-------5---|R-------..a-"),
        strings=(_REST, _WHOLE),
    ),
    "swing": Groove(
        drums=(
            {"ride": "x...x.x.x...", "pedal": "....x......."},
            {"ride": "x...x.x.x.x.", "pedal": "....x...x...", "snare": "......o.....|..........o."},
        ),
        fill={"ride": "x...........", "snare": "....x.x.x.X.", "kick": "........x..."},
        piano=("x---..x-....", "x---..x-..u-"),
        guitar=("x-..x-..x-..", "x-..x-..x-.."),
        bass=("R-------5---", "w---w---w---"),
        strings=(_REST, _WHOLE),
    ),
    "band": Groove(
        drums=(
            {"kick": "x...........", "rim": "....x...x...", "hat": "x.x.x.x.x.x."},
            {"kick": "x.......x...", "snare": "....X.......", "hat": "x.x.x.x.x.x.", "tambourine": "....x...x..."},
        ),
        fill={"kick": "x...x...x...", "snare": "....x.x.....", "low": "........x.xx"},
        piano=("B---x---x---", "B-u-x-u-x-u-"),
        guitar=("b-1-2-3-2-1-", "b---x-u-x-u-"),
        bass=("R-------5---", "R-----r-5-a-"),
        strings=(_REST, _WHOLE),
    ),
}

#: Families in 6/8.
SIX: Mapping[str, Groove] = {
    "ballad": Groove(
        drums=(
            {"kick": "x...........", "rim": "......x.....", "hat": "x.o.o.x.o.o."},
            {"kick": "x.........x.", "snare": "......X.....", "hat": "x.x.x.x.x.x."},
        ),
        fill={"kick": "x.....x.....", "snare": "......x.x...", "low": "..........xx"},
        piano=("b-0-1-2-1-0-", "B-x-x-b-x-x-"),
        guitar=("x-----------", "b-0-1-2-1-0-"),
        bass=("R-----------", "R-----5---a-"),
        strings=(_WHOLE, _WHOLE),
    ),
    "soft": Groove(
        drums=({"triangle": "o..........."}, {"triangle": "x...........", "shaker": "..o.o...o.o."}),
        fill={"triangle": "x.....o....."},
        piano=("b-1-2-3-2-1-", "B-1-2-3-2-1-"),
        guitar=("............|x-----------", "b---1-2---1-"),
        bass=("R-----------", "R-----5-----"),
        strings=(_REST, _WHOLE),
    ),
    "jig": Groove(
        drums=(
            {"kick": "x.....x.....", "tambourine": "....x.....x."},
            {"kick": "x.....x.....", "snare": "....o.X...o.", "tambourine": "x...x.x...x."},
        ),
        fill={"kick": "x.....x.....", "snare": "x.x.x.X.x.x."},
        piano=("....x.....x.", "b---x-b---x-"),
        guitar=("b---x-f---x-", "B---x-f-u-x-"),
        bass=("R-----5-----", "R---..5---a-"),
        strings=(_REST, "x-----x-----"),
    ),
    "shuffle": Groove(
        drums=(
            {"kick": "x.........x.", "rim": "......x.....", "ride": "x...x.x...x."},
            {"kick": "x...x.....x.", "snare": "......X.....", "hat": "x.x.x.x.x.x."},
        ),
        fill={"kick": "x.....x.....", "snare": "......x.xxX."},
        piano=("x-----....x-", "B-x-x-b-x-x-"),
        guitar=("......x.....", "b---u-x---u-"),
        bass=("R---r-5---6-", "R---r-5---a-|R---3-5---a-"),
        strings=(_REST, _WHOLE),
    ),
    "rock": Groove(
        drums=(
            {"kick": "x...........", "snare": "......X.....", "hat": "x.x.x.x.x.x."},
            {"kick": "x...x.....x.", "snare": "......X.....", "open": "x.....x.....", "hat": "..x.x...x.x."},
        ),
        fill={"kick": "x.....x.....", "snare": "......xxx...", "low": ".........xxx"},
        piano=("B-----x-----", "B-x-x-b-x-x-"),
        guitar=("b-1-2-3-2-1-", "p---p-p---p-"),
        bass=("R-----r---r-", "R-r-r-r-r-a-"),
        strings=(_REST, _WHOLE),
    ),
}
