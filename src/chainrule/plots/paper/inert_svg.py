"""matplotlib's SVG -> an element that may stand in any page: no styles, links or descriptions."""

from __future__ import annotations

import functools
from xml.etree import ElementTree

from chainrule.drawing.rendering import RenderingError
from chainrule.drawing.text_width import SPREAD

_SVG = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_DROPPED = ("metadata", "style")
_KEPT = ("svg", "g", "defs", "path", "use", "text", "tspan", "clipPath", "rect", "image",
         "pattern", "linearGradient", "stop")  # fmt: skip


def inert(document: str, title: str) -> str:
    """The `<svg>` element alone; `style="fill: red"` -> `fill="red"`, which every policy allows.

    Raises:
        RenderingError: matplotlib wrote an element or a link that is not known to be inert.
    """
    root = ElementTree.fromstring(document)
    for parent in list(root.iter()):
        for child in list(parent):
            if _name(child) in _DROPPED:
                parent.remove(child)
    for element in root.iter():
        _require_inert(element)
        _spread_style(element)
        _fix_width(element)
    # the rules of the style sheet that was dropped; elements inherit them
    root.attrib.update({"stroke-linejoin": "round", "stroke-linecap": "butt"})
    root.attrib.update({"role": "img", "aria-label": title})
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ElementTree.tostring(root, encoding="unicode")


def _name(element: ElementTree.Element) -> str:
    return element.tag.removeprefix(f"{{{_SVG}}}")


def _require_inert(element: ElementTree.Element) -> None:
    name, link = _name(element), element.get(_LINK, "")
    inside = link.startswith("#") or (name == "image" and link.startswith("data:image/png;base64,"))
    if name in _KEPT and (inside or not link):
        return
    raise RenderingError(
        f"the plot holds <{name}> {link[:40]!r}, which is not known to be inert",
        hint="leave links and foreign objects out of the figure, or save it as .png",
    )


def _spread_style(element: ElementTree.Element) -> None:
    """Properties become attributes, save the shorthand `font`, which has none."""
    kept: list[str] = []
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            kept.append(f"font: {value}")
        elif name:
            element.set(name, value)
    if kept:
        element.set("style", "; ".join(kept))


def _fix_width(element: ElementTree.Element) -> None:
    """A line of text keeps the width that was measured, in whatever font it is shown."""
    text = element.text or ""
    if _name(element) != "text" or not text.strip() or len(element):
        return
    width = _width(
        text,
        element.get("font-family", "sans-serif"),
        element.get("font-size", "12px"),
        element.get("font-weight", "normal"),
    )
    element.attrib.update({"textLength": f"{width:.2f}", "lengthAdjust": SPREAD})


@functools.cache
def _width(text: str, families: str, size: str, weight: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    first = families.partition(",")[0].strip("'\"")
    font = FontProperties(family=first, size=float(size.removesuffix("px")), weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width)
