"""The API pages: docstrings become reStructuredText, and names in them become links."""

from __future__ import annotations

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

import chainrule as cr


def setup(app: Sphinx) -> ExtensionMetadata:
    before_napoleon = 400
    app.connect("autodoc-process-docstring", as_markup, before_napoleon)
    app.connect("missing-reference", link_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def as_markup(
    _app: Sphinx, what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    r"""Show an indented program as it stands, and |x| as |x|."""
    marked: list[str] = []
    for row, line in enumerate(lines):
        marked.append(line.replace("|", r"\|"))
        if _is_indented_block(lines, row):
            marked += ["", "::"]
    if what in ("property", "attribute", "data") and marked:
        marked[0] = f": {marked[0]}"  # `: it is so: and so`, or else napoleon takes it for a type
    lines[:] = marked


def _is_indented_block(lines: list[str], row: int) -> bool:
    """Does an empty line, and then one that is further to the right, follow?"""
    here, after = lines[row], lines[row + 1 : row + 3]
    return bool(here) and len(after) == 2 and not after[0] and _indent(after[1]) > _indent(here)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def link_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.TextElement
) -> nodes.Element | None:
    """`ShapeError` leads to `chainrule.ShapeError`, and `Plan` to the only class of that name."""
    if node["refdomain"] != "py":
        return None
    name = node["reftarget"].rpartition(".")[2]
    target = f"chainrule.{name}" if hasattr(cr, name) else name
    node["refspecific"] = True  # a name also stands for what ends in it
    found: nodes.Element | None = env.domains.python_domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", target, node, text
    )
    return found
