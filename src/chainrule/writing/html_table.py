"""A table for notebooks: plain HTML in which every text is inert."""

from __future__ import annotations

import re
from collections.abc import Sequence

# what no HTML document may hold: control characters and lone surrogates
_NOT_PRINTABLE = "[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def html_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str = "",
    notes: Sequence[str] = (),
    numbers: Sequence[int] = (),
) -> str:
    """One element with a table, and paragraphs below it.

    Args:
        header: titles of the columns; none for a table of names and values.
        rows: the cells of each row; a cell may have several lines.
        caption: a line above.
        notes: preformatted texts below.
        numbers: columns that are set to the right.
    """
    above = f"<p>{_inert(caption)}</p>" if caption else ""
    head = f"<thead>{_row('th', header, numbers)}</thead>" if header else ""
    body = f"<tbody>{''.join(_row('td', row, numbers) for row in rows)}</tbody>"
    below = [f"<pre>{_inert(note)}</pre>" for note in notes]
    # the classes tell a notebook's MathJax to leave dollar signs alone
    return (
        f'<div class="tex2jax_ignore mathjax_ignore">{above}'
        f'<table cellpadding="4">{head}{body}</table>{"".join(below)}</div>'
    )


def _row(tag: str, cells: Sequence[str], numbers: Sequence[int]) -> str:
    written = [
        f'<{tag} align="{"right" if column in numbers else "left"}">{_lines(cell)}</{tag}>'
        for column, cell in enumerate(cells)
    ]
    return f"<tr>{''.join(written)}</tr>"


def _lines(text: str) -> str:
    return "<br>".join(_inert(line) for line in text.split("\n"))


def _inert(text: str) -> str:
    """Text that holds no markup, with the spaces by which it is indented."""
    from html import escape

    return escape(re.sub(_NOT_PRINTABLE, "\ufffd", text)).replace("  ", "\u00a0 ")
