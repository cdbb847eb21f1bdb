"""Patterns in 4/4: sixteen steps a bar. The language is described in `grooves`."""

from __future__ import annotations

from collections.abc import Mapping

from rhapsody_lib.music.grooves import Groove

_EIGHTHS = "x.x.x.x.x.x.x.x."
_BACKBEAT = "....X.......X..."
_WHOLE = "x---------------"
_HALVES = "x-------x-------"
_REST = "................"
_TOM_FILL = {
    "snare": "........x.x.....",
    "high": "..........x.x...",
    "low": ".............xx.",
    "kick": "x.......x.......",
}
_SNARE_FILL = {"snare": "........x.x.xxXx", "kick": "x.......x......."}

FOUR: Mapping[str, Groove] = {
    "ballad": Groove(
        drums=(
            {"kick": "x.......x.......", "rim": "....x.......x...", "hat": "o.o.o.o.o.o.o.o."},
            {"kick": "x......xx.......", "snare": _BACKBEAT, "hat": _EIGHTHS},
        ),
        fill=_TOM_FILL,
        piano=("b-0-1-2-3-2-1-2-", "B---x---B---x-x-"),
        guitar=(_WHOLE, "b-0-1-2-b-1-2-1-"),
        bass=("R-----------r-a-", "R-----r-R---5-a-"),
        strings=(_WHOLE, _WHOLE),
    ),
    "blues": Groove(
        drums=(
            {"kick": "x.......x.......", "rim": "....x.......x...", "ride": "x...x.x.x...x.x."},
            {"kick": "x.....x.x.....x.", "snare": _BACKBEAT, "hat": _EIGHTHS},
        ),
        fill={"snare": "........x.x.x.X.", "kick": "x.......x.....x."},
        piano=("..u-....x-......|....x-....u-x-..", "B-u.x-u.B-u.x-u.|B-u.x-u...x-x-u."),
        guitar=("....x.......x...", "p-p.q-q.p-p.q-q."),
        bass=("R---3---5---6---|R---6---5---a---", "R-r.3-3.5-5.6-6.|7-7.6-6.5-5.3-a."),
        strings=(_REST, _WHOLE),
    ),
    "bossa": Groove(
        drums=(
            {"kick": "x.....x.x.....x.", "rim": "x.....x.....x...|....x.....x.....", "shaker": "xooxxooxxooxxoox"},
            {
                "kick": "x.....x.x.....x.",
                "rim": "x.....x.....x...|....x.....x.....",
                "hat": _EIGHTHS,
                "pedal": "....x.......x...",
            },
        ),
        fill={
            "rim": "x.....x...x...x.",
            "conga": "........x.xx....",
            "low": "............x.x.",
            "kick": "x.....x.x.....x.",
        },
        piano=("x---..........x-|....x---........", "x-----..x-....x-|....x-----..x-.."),
        guitar=("b-..x-..b-x-..x-|b-x-..x-b-..x-..", "B-..x-..b-x-..x-|b-x-..x-b-..x-u-"),
        bass=("R-----5-5-----r-", "R-----5-5-----a-|R-----5-8-----a-"),
        strings=(_WHOLE, _WHOLE),
    ),
    "country": Groove(
        drums=(
            {"kick": "x.......x.......", "rim": "....x.......x...", "hat": "o.x.o.x.o.x.o.x."},
            {"kick": "x.......x.......", "snare": "o.o.X.o.o.o.X.oo", "hat": "x...x...x...x..."},
        ),
        fill=_SNARE_FILL,
        piano=("....x-......x-..", "....x-u-....x-u-"),
        guitar=("b---x---f---x---", "b---x-u-f---x-u-"),
        bass=("R-------5-------", "R---....5---..a-|R---....5---6-a-"),
        strings=(_REST, _HALVES),
    ),
    "disco": Groove(
        drums=(
            {"kick": "x...x...x...x...", "hat": "..x...x...x...x.", "rim": "....x.......x..."},
            {
                "kick": "x...x...x...x...",
                "snare": _BACKBEAT,
                "clap": "....x.......x...",
                "open": "..x...x...x...x.",
                "hat": "xo..xo..xo..xo..",
            },
        ),
        fill={"kick": "x...x...x...x...", "snare": "........x.xxx.xX"},
        piano=("x-----x---......|x-----x---....x-", "..x-..x-..x-..x-|..x-..x-..x-x-x-"),
        guitar=("......x.......x.", "..x.u..u..x.u..u"),
        bass=("R-....8-r-....8-", "R-8-r-8-r-8-r-8-|R-8-r-8-r-8-5-a-"),
        strings=("................|........x-------", "x-----------x-x-|x-----x---------"),
    ),
    "folk": Groove(
        drums=(
            {"shaker": "o.x.o.x.o.x.o.x."},
            {"kick": "x.......x.......", "tambourine": "....x.......x...", "shaker": _EIGHTHS},
        ),
        fill={"kick": "x.......x.x.....", "tambourine": "....x...x.x.x.x.", "shaker": _EIGHTHS},
        piano=("................|x---------------", "B-------x-------"),
        guitar=("b-3-1-2-f-3-1-2-", "B---x-u-..u-x-u-"),
        bass=("R-------5-------", "R-------5-----a-"),
        strings=(_REST, _WHOLE),
    ),
    "funk": Groove(
        drums=(
            {"kick": "x..x......x.....", "snare": "....X..o.o..X...", "hat": _EIGHTHS},
            {"kick": "x..x..x...x..x..", "snare": "....X..o.o..X..o", "hat": "xoxoxoxoxoxoxoXo"},
        ),
        fill={"snare": "....X..xx.xxX.xx", "kick": "x.x...x....x..x.", "open": "..............x."},
        piano=("x.....x.........|x.....x....x.x..", "x..x..x....x.x..|x..x..x.x..u.x.."),
        guitar=("....x.......x...", ".u.x..ux.u.x..ux"),
        bass=("R-....8...r..5a.|R-....8...r.7.8.", "R-.r..8..r.r.7a.|R-.r..8..5.5.7a."),
        strings=(_REST, "x-..............|..........x.x---"),
    ),
    "gospel": Groove(
        drums=(
            {"kick": "x.......x.......", "rim": "....x.......x...", "hat": "o.o.o.o.o.o.o.o."},
            {"kick": "x.....x.x.....x.", "snare": _BACKBEAT, "hat": _EIGHTHS, "tambourine": "....x.......x..x"},
        ),
        fill=_TOM_FILL,
        piano=("B---x---x---x---", "B-u-x-u-B-u-x-x-|B-u-x-u-b-x-x-x-"),
        guitar=(_REST, "....x-......x-u-"),
        bass=("R-------r---5---", "R---r-3-5---5-a-|R---r-5-6-5-3-a-"),
        strings=(_WHOLE, _HALVES),
    ),
    "lullaby": Groove(
        drums=({"triangle": "o..............."}, {"triangle": "x...............", "shaker": "..o...o...o...o."}),
        fill={"triangle": "x.......o......."},
        piano=("b-1-2-3-2-1-2-1-", "B-2-3-2-b-2-3-2-"),
        guitar=("................|x---------------", "b---1---2---1---"),
        bass=("R---------------", "R-------5-------"),
        strings=(_REST, _WHOLE),
    ),
    "pop": Groove(
        drums=(
            {"kick": "x.......x.x.....", "snare": "....x.......x...", "hat": _EIGHTHS},
            {"kick": "x..x..x.x.x.....", "snare": _BACKBEAT, "hat": "XoxoXoxoXoxoXoxo", "clap": "............x..."},
        ),
        fill=_TOM_FILL,
        piano=("x-------x-----x-|--------x-------", "B-x-x-x-b-x-x-x-|B-x-x-x-b-x-x---"),
        guitar=("b-2-1-2-b-2-1-2-", "x---x-u-..u-x-u-"),
        bass=("R-------R-----a-", "R-r-r-r-R-r-r-a-|R-r-r-r-R-r-5-a-"),
        strings=(_REST, _WHOLE),
    ),
    "reggae": Groove(
        drums=(
            {"kick": "........x.......", "rim": "........X.....o.", "hat": "x.x.x.x.x.x.x.x."},
            {
                "kick": "x...x...x...x...",
                "rim": "........X.......",
                "hat": "..x...x...x...x.",
                "open": "..............x.",
            },
        ),
        fill={
            "high": "........x.x.....",
            "low": "..........x.xx..",
            "kick": "........x.......",
            "rim": "x..x..x.........",
        },
        piano=("..x...x...x...x.", "..x.u.x.u.x.u.x."),
        guitar=("..x...x...x...x.", "..x...x...x...x."),
        bass=("R---..r-3---5---|R---..r-5-..3-r-", "R-r-..3-5---..5-|R-r-..5-6-5-3-a-"),
        strings=("................|................|................|........x-------", _WHOLE),
    ),
    "rock": Groove(
        drums=(
            {"kick": "x.......x.x.....", "snare": _BACKBEAT, "hat": _EIGHTHS},
            {"kick": "x.x...x.x.x...x.", "snare": _BACKBEAT, "open": "x...x...x...x..."},
        ),
        fill={
            "snare": "........xxx.....",
            "high": "..........xxx...",
            "low": "............xxxx",
            "kick": "x.......x.......",
        },
        piano=(_REST, "x---x---x---x---"),
        guitar=("p.p.p.p.p.p.p.p.", "p-----p-p---p-p-|p-----p-p-p-u-u-"),
        bass=("R-r-r-r-r-r-r-r-", "R-r-r-r-r-r-r-a-"),
        strings=(_REST, _WHOLE),
    ),
    "sea-song": Groove(
        drums=(
            {"kick": "x.......x.......", "tambourine": "....x.......x..."},
            {"kick": "x.......x.......", "snare": "o..oX.o.o..oX.oo", "tambourine": "....x.......x..."},
        ),
        fill={"kick": "x...x...x...x...", "snare": "x.xxx.xxX.xxX.xx"},
        piano=("....x-......x-..", "B-..x-u-b-..x-u-"),
        guitar=("b---x---f---x---", "b---x-u-f---x-u-"),
        bass=("R-------5-------", "R---....5---....|R---....5---3-a-"),
        strings=(_REST, _HALVES),
    ),
    "soul": Groove(
        drums=(
            {"kick": "x......x..x.....", "rim": "....x.......x...", "hat": _EIGHTHS},
            {
                "kick": "x......x..x.....",
                "snare": "X...X...X...X...",
                "hat": _EIGHTHS,
                "tambourine": "....x.......x...",
            },
        ),
        fill=_SNARE_FILL,
        piano=("x-----..x---....|x-----..x---u-..", "B---x---b-x-x---"),
        guitar=("....x.......x...", "....x..u....x.u."),
        bass=("R-----r-..5-6-a-", "R-..r-3-5-..5-a-|R-..r-3-5-6-5-a-"),
        strings=(_REST, "x-----------x---|x---------------"),
    ),
    "swing": Groove(
        drums=(
            {"ride": "x...x.x.x...x.x.", "pedal": "....x.......x...", "kick": "o.......o......."},
            {
                "ride": "x...X.x.x...X.x.",
                "pedal": "....x.......x...",
                "kick": "o...o...o...o...",
                "snare": "......o.......o.|..o...........o.",
            },
        ),
        fill={"ride": "x...x...........", "snare": "......x.x.x...X.", "kick": "........o...x..."},
        piano=("x-....x-........|..x-......x-....", "x-....x-..x-....|..x---......x-u."),
        guitar=("x-..x-..x-..x-..", "x-..x-..x-..x-.."),
        bass=("R-------5-------", "w---w---w---w---"),
        strings=(_REST, _WHOLE),
    ),
}
