"""Pictures wider than a page keep letters that can be read: they scroll, and open whole."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

PIXELS_A_POINT = 4 / 3
LEGIBLE = 0.75  # of its own size, down to which a picture can be read
PAGE = 736  # pixels that the text of a page is wide

_WIDTH = re.compile(r'<svg[^>]*?\bwidth="(?P<points>[\d.]+)pt"')


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("doctree-resolved", widen)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def widen(app: Sphinx, doctree: nodes.document, _: str) -> None:
    """Give pictures that would become illegible a width of their own."""
    for image in doctree.findall(nodes.image):
        path = Path(app.srcdir) / image["uri"]
        width = legible_width(path) if path.suffix == ".svg" and path.is_file() else 0
        if width > PAGE:
            image["width"] = f"{width}px"


def legible_width(path: Path) -> int:
    """The least width in pixels; 0 of a picture that does not say its own."""
    found = _WIDTH.search(path.read_text(encoding="utf-8")[:1000])
    return round(LEGIBLE * PIXELS_A_POINT * float(found["points"])) if found else 0
