"""A derivation as a document: headings, paragraphs, displayed equations, a table of names."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass

HEAD = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{amsmath, amssymb, textcomp}
\usepackage[margin=2.5cm]{geometry}
\allowdisplaybreaks
\begin{document}
"""


@dataclass(frozen=True)
class Heading:
    """`words` may hold math between dollar signs, as may those of the other blocks."""

    words: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Words, after a lead-in in bold."""

    words: str
    lead: str = ""


@dataclass(frozen=True)
class Equations:
    """Displayed lines, aligned at their `&`."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells below a row of headings."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Equations | Table


def to_markdown(blocks: Sequence[Block]) -> str:
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.words}"
    if isinstance(block, Paragraph):
        return f"**{block.lead}** {block.words}".strip() if block.lead else block.words
    if isinstance(block, Equations):
        return f"$$\n{_aligned(block.lines)}\n$$"
    rows = [block.head, tuple("---" for _ in block.head), *block.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def to_latex(blocks: Sequence[Block]) -> str:
    """A fragment for a document that uses amsmath."""
    return "\n\n".join(_latex(block) for block in blocks) + "\n"


def to_latex_file(blocks: Sequence[Block]) -> str:
    return f"{HEAD}\n{to_latex(blocks)}\n\\end{{document}}\n"


def _latex(block: Block) -> str:
    if isinstance(block, Heading):
        command = "section" if block.level == 1 else "subsection"
        return rf"\{command}*{{{block.words}}}"
    if isinstance(block, Paragraph):
        return rf"\textbf{{{block.lead}}} {block.words}".strip() if block.lead else block.words
    if isinstance(block, Equations):
        return f"\\[\n{_aligned(block.lines)}\n\\]"
    rows = " \\\\\n".join(" & ".join(row) for row in (block.head, *block.rows))
    return f"\\begin{{tabular}}{{{'l' * len(block.head)}}}\n{rows}\n\\end{{tabular}}"


def _aligned(lines: Sequence[str]) -> str:
    inner = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{inner}\n\\end{{aligned}}"
