"""Links to the pages on which networks train: the site gets these when all else is built."""

from __future__ import annotations

from docs.pages import PAGES
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("doctree-read", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def link(_: Sphinx | None, doctree: nodes.document) -> None:
    """The address as it is written, which Sphinx would look for among its sources."""
    for found in list(doctree.findall(pending_xref)):
        address = found["reftarget"]
        if address.partition("#")[0].rpartition("/")[-1] in PAGES:
            found.replace_self(nodes.reference("", "", *found.children, refuri=address))
