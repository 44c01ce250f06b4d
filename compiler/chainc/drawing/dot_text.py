"""Texts of the DOT language as Graphviz shows them, and vertices beside one another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from unicodedata import east_asian_width

from graphviz import Digraph, escape, nohtml

LONGEST_LINE = 60  # characters
LONGEST_PATH = 40
LONGEST_TOOLTIP = 240


def label_text(lines: Iterable[str]) -> str:
    return _no_markup("\\n".join(_escaped(_short(line)) for line in lines))


def tooltip_text(text: str) -> str:
    """As `label_text`; Graphviz takes the escapes out of a tooltip twice."""
    return _no_markup(escape(_escaped(_cut(text, LONGEST_TOOLTIP))))


def headed_list(lines: Sequence[str]) -> str:
    """A heading in the middle, the entries below it flush left."""
    entries = "".join(f"{label_text([line])}\\l" for line in lines[1:])
    return _no_markup(f"{label_text(lines[:1])}\\n{entries}")


def least_width(lines: Iterable[str]) -> str:
    """The least width in inches; Graphviz takes Chinese and its like for narrower than they are."""
    widest = max(sum(east_asian_width(sign) in "WF" for sign in line) for line in lines)
    return f"{max(0.4, 0.1 + 0.18 * widest):.2g}"


_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def _escaped(text: str) -> str:
    """Plain text: nothing in it is an escape or an entity; `graphviz` quotes it."""
    return str(escape(_UNPRINTABLE.sub(" ", text).replace("&", "&amp;")))


def _short(line: str) -> str:
    """Of a long path the beginning and the end: `encoder/block1/…/linear1/weight`."""
    parts = line.split("/")
    if len(line) <= LONGEST_PATH or len(parts) < 3:
        return _cut(line, LONGEST_LINE)
    front, back = parts[: len(parts) // 2], parts[len(parts) // 2 :]
    while len("/".join([*front, "…", *back])) > LONGEST_PATH and len(front) + len(back) > 2:
        if len(front) > len(back):
            front.pop()
        else:
            back.pop(0)
    return _cut("/".join([*front, "…", *back]), LONGEST_LINE)


def _cut(text: str, longest: int) -> str:
    """Both ends of a text that is too long: paths and names differ at their ends."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[-((longest - 1) // 2) :]}"


def _no_markup(text: str) -> str:
    """Text that `graphviz` does not take for HTML where it stands between < and >."""
    marked: str = nohtml(text)
    return marked


def in_a_row(drawn: Digraph, names: Sequence[str], **attributes: str) -> None:
    """Vertices at one height, the first at the left; invisible edges hold them."""
    with drawn.subgraph() as row:
        row.attr(rank="same")
        for left, right in pairwise(names):
            row.edge(left, right, style="invis", **attributes)
