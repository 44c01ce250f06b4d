"""Statements and labels of the DOT language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width

LONGEST_LINE = 60  # characters
LONGEST_TOOLTIP = 240


def statement(subject: str, **attributes: str) -> str:
    if not attributes:
        return subject
    pairs = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"{subject} [{pairs}]"


def label_text(lines: Iterable[str]) -> str:
    return "\\n".join(_escaped(line, LONGEST_LINE) for line in lines)


def tooltip_text(text: str) -> str:
    """As `label_text`; Graphviz takes the escapes out of a tooltip twice."""
    return _escaped(text, LONGEST_TOOLTIP).replace("\\\\", "\\\\\\\\")


def headed_list(lines: Sequence[str]) -> str:
    """A heading in the middle, the entries below it flush left."""
    return label_text(lines[:1]) + "\\n" + "".join(f"{label_text([line])}\\l" for line in lines[1:])


def least_width(lines: Iterable[str]) -> str:
    """The least width in inches; Graphviz takes Chinese and its like for narrower than they are."""
    widest = max(sum(east_asian_width(sign) in "WF" for sign in line) for line in lines)
    return f"{max(0.4, 0.1 + 0.18 * widest):.2g}"


_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def _escaped(text: str, longest: int) -> str:
    """Plain text inside a DOT string: nothing in it is an escape, an entity or markup."""
    plain = _UNPRINTABLE.sub(" ", text)
    cut = plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
    return cut.replace("\\", "\\\\").replace("&", "&amp;").replace('"', '\\"')
