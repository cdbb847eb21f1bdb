"""The lead sheet engraved: one SVG a page by verovio, offline, made fit to stand inside the page of the song."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import defusedxml.ElementTree  # type: ignore[import-untyped]

from rhapsody_lib.errors import RhapsodyError
from rhapsody_lib.optional import require

#: Narrow enough to be read on a telephone, wide enough for three bars a line; in the proportion of A4.
PAGE_WIDTH, PAGE_HEIGHT = 1500, 2100
_OPTIONS: dict[str, Any] = {
    "pageWidth": PAGE_WIDTH,
    "pageHeight": PAGE_HEIGHT,
    "pageMarginLeft": 90,
    "pageMarginRight": 30,
    "pageMarginTop": 30,
    "pageMarginBottom": 30,
    "adjustPageHeight": True,
    "scale": 40,
    "header": "none",
    "footer": "none",
    "breaks": "auto",
    "lyricSize": 4.6,
    "svgViewBox": True,
    "svgFormatRaw": True,
    "xmlIdSeed": 1,
}
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
#: What an engraving is drawn with. Styles stand in the page's own sheet, for its policy forbids others.
_DRAWN = frozenset(
    {
        "svg",
        "g",
        "defs",
        "symbol",
        "use",
        "path",
        "rect",
        "line",
        "polygon",
        "polyline",
        "ellipse",
        "circle",
        "text",
        "tspan",
    }
)


#: Characters of verovio's music font that stand in text, which its own style sheet would bring the font for.
_TEXT_SIGNS = {
    "\ueca5": "♩", "\ue1d5": "♩", "\uecb7": ".", "\ue1e7": ".", "\ue260": "♭", "\ue261": "♮", "\ue262": "♯",
    "\uea63": "𝄫", "\uea64": "♭", "\uea65": "♮", "\uea66": "♯", "\uea67": "𝄪",
}  # fmt: skip
#: Size of such a character against verovio's, so that it stands beside letters.
_SIGN_SIZE = 0.6
#: What verovio leaves on either side of a rehearsal mark, in units of its drawing.
_MARK_MARGIN = 85


def _keep_drawing(element: ET.Element) -> None:
    if element.get("font-family") == "Leipzig" and element.text:
        element.text = "".join(_TEXT_SIGNS.get(char, char) for char in element.text if not char.isspace())
        del element.attrib["font-family"]
        size = float(element.get("font-size", "0px").removesuffix("px"))
        element.set("font-size", f"{round(size * _SIGN_SIZE)}px")
    for child in list(element):
        hidden = "placeholder" in child.get("class", "").split()
        if hidden or child.tag.removeprefix(f"{{{_SVG}}}") not in _DRAWN:
            element.remove(child)
        else:
            _keep_drawing(child)
    for name in list(element.attrib):
        if (
            name.startswith("on")
            or name == "style"
            or (name.endswith("href") and not element.attrib[name].startswith("#"))
        ):
            del element.attrib[name]


def _rename_signs(root: ET.Element, prefix: str) -> None:
    """Let the signs that a page draws from have names of their own: each page defines the same ones."""
    for signs in root.iter(f"{{{_SVG}}}defs"):
        for sign in signs.iter():
            if "id" in sign.attrib:
                sign.set("id", prefix + sign.attrib["id"])
    for element in root.iter():
        for name in ("href", f"{{{_XLINK}}}href"):
            if name in element.attrib:
                element.set(name, f"#{prefix}{element.attrib[name].removeprefix('#')}")


def _fit_marks(root: ET.Element) -> None:
    """Let rehearsal marks fill their boxes whatever their font: verovio measures Times, which not every machine has."""
    for group in root.iter(f"{{{_SVG}}}g"):
        box, text = group.find(f"{{{_SVG}}}rect"), group.find(f"{{{_SVG}}}text")
        if group.get("class") == "reh" and box is not None and text is not None:
            text.set("textLength", str(max(1, round(float(box.get("width", "0"))) - 2 * _MARK_MARGIN)))
            text.set("lengthAdjust", "spacingAndGlyphs")


def _for_a_page(svg: str, number: int, pages: int) -> str:
    """The SVG of a page, without what the policy of an HTML page forbids, with a label for those who do not see it."""
    root: ET.Element = defusedxml.ElementTree.fromstring(svg)
    _keep_drawing(root)
    _rename_signs(root, f"page{number}-")
    _fit_marks(root)
    for name in ("width", "height", "id"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", f"Lead sheet, page {number} of {pages}")
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    return ET.tostring(root, encoding="unicode")


def check_engraving() -> None:
    """Find out before any work is done whether a lead sheet can be engraved.

    Raises:
        MissingExtraError: verovio is not installed; the message says how to install it.
    """
    require("verovio")


def engrave(musicxml: bytes) -> list[str]:
    """A sheet of music as SVG, one text a page. Same sheet, same text.

    Args:
        musicxml: an uncompressed MusicXML file.

    Raises:
        MissingExtraError: verovio is not installed.
        RhapsodyError: verovio cannot read the file.
    """
    verovio: Any = require("verovio")
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(_OPTIONS)
    if not toolkit.loadData(musicxml.decode(errors="replace")):
        raise RhapsodyError(
            "The lead sheet cannot be engraved: verovio does not read it. This is a bug; please report it."
        )
    pages = toolkit.getPageCount()
    return [_for_a_page(toolkit.renderToSVG(page), page, pages) for page in range(1, pages + 1)]
