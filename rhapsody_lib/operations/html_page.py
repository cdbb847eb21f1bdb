"""Parts of a page that is one file: no script, nothing from elsewhere; what strangers wrote stays text."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

_STYLE = """\
:root{color-scheme:light dark;--ink:#20232a;--soft:#667085;--line:#dfe2e8;--paper:#fff;--tint:#f4f6fa;--blue:#1f5fd1;
--grey:#a9b0bd;--red:#b42318;--green:#1a7f4b}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaf0;--soft:#a0a8b8;--line:#363c48;--paper:#15181e;--tint:#1e232c;
--blue:#7aa7ff;--grey:#5d6675;--red:#ff8a80;--green:#6fd39f}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;margin:0 0 .2rem;line-height:1.2}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
h3{font-size:.95rem;margin:0 0 .4rem}p{margin:.3rem 0 .8rem;max-width:46rem}.soft{color:var(--soft);font-size:.9rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.5rem,1fr));gap:.6rem;margin:1rem 0}
.tile{background:var(--tint);border-radius:.5rem;padding:.6rem .8rem}.tile b{display:block;font-size:1.3rem}
.tile span{color:var(--soft);font-size:.85rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:1.2rem;
align-items:start}
.card{border:1px solid var(--line);border-radius:.5rem;padding:.8rem;min-width:0;overflow-wrap:anywhere}
.card img{display:block;width:100%;height:auto;background:#fff;border-radius:.3rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}.wide{overflow-x:auto;max-width:60rem}
th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.bar{display:block;height:.55rem;border-radius:.2rem;background:var(--blue);min-width:1px;margin:.15rem 0}
.bar.was{background:var(--grey)}td.bars{width:40%;min-width:5rem}
.good{color:var(--green);font-weight:600}.bad{color:var(--red);font-weight:600}
.verdict{border-left:.3rem solid var(--green);background:var(--tint);padding:.6rem .9rem;border-radius:.3rem}
.verdict.no{border-color:var(--red)}details{margin:.4rem 0}summary{cursor:pointer}ul{margin:.3rem 0;padding-left:1.2rem}
code{font-size:.85em}
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page; the parts are HTML already."""
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en" data-ready>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def text(value: object) -> str:
    """Anything as text that is no markup."""
    return escape(" ".join(str(value).split()), quote=True)


def tiles(figures: Iterable[tuple[str, str]]) -> str:
    """Figures that are seen first: number and name."""
    inner = "".join(f'<div class="tile"><b>{text(value)}</b><span>{text(name)}</span></div>' for name, value in figures)
    return f'<div class="tiles">{inner}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """A table; its cells are HTML already. `numbers` are the columns set to the right."""
    right = set(numbers)

    def line(cells: Sequence[str], tag: str) -> str:
        inner = (f"<{tag}{' class=n' if at in right else ''}>{cell}</{tag}>" for at, cell in enumerate(cells))
        return f"<tr>{''.join(inner)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f'<div class="wide"><table>{line([text(name) for name in head], "th")}{body}</table></div>'


def box(heading: str, inner: str, note: str = "") -> str:
    """One part of a grid."""
    told = f'<p class="soft">{text(note)}</p>' if note else ""
    return f'<div class="card"><h3>{text(heading)}</h3>{told}{inner}</div>'


def grid(boxes: Iterable[str]) -> str:
    """Boxes beside one another where there is room."""
    return f'<div class="grid">{"".join(boxes)}</div>'


def picture(svg: bytes, alternative: str) -> str:
    """An SVG that the page holds itself."""
    address = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    return f'<img src="{address}" alt="{text(alternative)}">'


def bars(counts: Mapping[str, int], most: int) -> str:
    """Counts by name with bars, the most frequent ones; the rest in one line."""
    total, shown = sum(counts.values()), list(counts.items())[:most]
    if not total:
        return '<p class="soft">None is known.</p>'
    widest = max(count for _, count in shown)
    rows = [
        f'<tr><td>{text(name) or "(none)"}</td><td class="bars">{_bar(count / widest)}</td>'
        f'<td class="n">{count:,}</td><td class="n">{count / total:.1%}</td></tr>'
        for name, count in shown
    ]
    rest = total - sum(count for _, count in shown)
    left = f'<p class="soft">and {len(counts) - len(shown):,} more, {rest:,} in all</p>' if rest else ""
    return f"<table>{''.join(rows)}</table>{left}"


def paired_bars(counts: Mapping[str, int], before: Mapping[str, int], most: int) -> str:
    """Shares by name in two corpora, the one before in grey above; those that are most frequent in either."""
    total, total_before = max(1, sum(counts.values())), max(1, sum(before.values()))
    shares = {
        name: (counts.get(name, 0) / total, before.get(name, 0) / total_before)
        for name in counts.keys() | before.keys()
    }
    shown = sorted(shares, key=lambda name: (-max(shares[name]), name))[:most]
    widest = max((max(shares[name]) for name in shown), default=1.0)
    rows = [
        f"<tr><td>{text(name) or '(none)'}</td>"
        f'<td class="bars">{_bar(shares[name][1] / widest, " was")}{_bar(shares[name][0] / widest)}</td>'
        f'<td class="n">{shares[name][1]:.1%}<br>{shares[name][0]:.1%}</td></tr>'
        for name in shown
    ]
    return f"<table>{''.join(rows)}</table>" if rows else '<p class="soft">None is known.</p>'


def _bar(share: float, kind: str = "") -> str:
    return f'<span class="bar{kind}" style="width:{100 * share:.1f}%"></span>'
