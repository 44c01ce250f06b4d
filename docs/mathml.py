"""Formulas of the site as MathML, which browsers show without a script and without a network."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
BRACE = "⏟"
NAMED = re.compile(r"&(?!lt;|gt;|amp;)\w+;")  # characters that XML has no names for


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def mathml(formula: str, *, as_block: bool = False) -> str:
    """A formula in LaTeX as an element `<math>`.

    Raises:
        MathError: the formula has a command that is not known.
    """
    ElementTree.register_namespace("", NAMESPACE)
    markup = NAMED.sub(lambda name: unescape(name[0]), tex2mathml(formula, as_block=as_block))
    root = ElementTree.fromstring(markup)
    for element in root.iter():
        if _is_labelled_brace(element):
            element.tag = f"{{{NAMESPACE}}}munder"  # the label goes below the brace, not beside it
        if element.tag == f"{{{NAMESPACE}}}mtable":
            element.set("displaystyle", "true")
    return ElementTree.tostring(root, encoding="unicode")


def _is_labelled_brace(element: ElementTree.Element) -> bool:
    """Is it `<msub>` over `<munder>` with a brace, as of underbrace{x}_{label}?"""
    if element.tag != f"{{{NAMESPACE}}}msub":
        return False
    return any(inner.text == BRACE for inner in element[0])
