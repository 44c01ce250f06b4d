"""A table as lines of text: columns as wide as their widest cell, and a line below the header."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def text_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, words: Collection[int]
) -> list[str]:
    """The lines.

    Args:
        header: titles of the columns.
        rows: the cells of each row.
        words: columns that are set to the left; the others hold numbers.
    """
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [_line(cells, widths, words) for cells in table]
    lines.insert(1, "-" * max(map(len, lines)))
    return lines


def _line(cells: Sequence[str], widths: Sequence[int], words: Collection[int]) -> str:
    padded = [
        cell.ljust(width) if position in words else cell.rjust(width)
        for position, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
