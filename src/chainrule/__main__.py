"""The console command `chainrule`."""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from chainc.ir import Node
from chainc.ir.errors import ChainruleError, InputError
from chainrule import __version__
from chainrule.compiled.compiled import Compiled
from chainrule.declare.graphs import Declaration, graph_of
from chainrule.drawing.graph import Graph

EXAMPLES = """\
examples:
  chainrule demo                          train on the bundled digits, draw every stage
  chainrule demo --epochs 5 --out pictures
  chainrule draw model.py:loss            the graph of `loss` as loss.svg
  chainrule draw model.py:loss -o loss.png
  chainrule text model.py:loss            the graph as text
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, or 1 after an error that was explained."""
    options = _parser().parse_args(arguments)
    try:
        print(options.run(options))
    except ChainruleError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chainrule",
        description="Declare a network, see its gradient, compile its training loop.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"chainrule {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="train on the bundled digits and draw every stage")
    demo.add_argument("--epochs", type=int, default=20, help="passes over the data (20)")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder for pictures (demo)")
    demo.set_defaults(run=_demo)

    draw = commands.add_parser("draw", help="draw a graph that a Python file declares")
    draw.add_argument("what", metavar="FILE.py:NAME", help="a file, which is run, and a name in it")
    draw.add_argument("-o", "--out", type=Path, help="NAME.svg by default; .png, .pdf, .dot")
    draw.set_defaults(run=_draw)

    text = commands.add_parser("text", help="print a graph that a Python file declares")
    text.add_argument("what", metavar="FILE.py:NAME", help="a file, which is run, and a name in it")
    text.set_defaults(run=_text)
    return parser


def _demo(options: argparse.Namespace) -> str:
    from chainrule.demo.run import run_demo

    return run_demo(options.epochs, options.out)


def _draw(options: argparse.Namespace) -> str:
    graph, name = load(options.what)
    path = graph.draw(title=name).save(options.out or Path(f"{name}.svg"))
    return f"{path}: {len(graph.nodes)} nodes"


def _text(options: argparse.Namespace) -> str:
    graph, _ = load(options.what)
    return graph.text()


def load(what: str) -> tuple[Graph, str]:
    """The graph called NAME in FILE.py, given as "FILE.py:NAME"; the file is run.

    Raises:
        InputError: there is no such file or name, or the name is no graph.
    """
    file, _, name = what.rpartition(":")
    if not file or not Path(file).is_file():
        raise InputError(
            f"{what!r} names no file", where="the command line", hint="write FILE.py:NAME"
        )
    declared = runpy.run_path(file)
    if name not in declared:
        names = ", ".join(key for key, value in declared.items() if _is_graph(value))
        raise InputError(
            f"{file} declares no {name!r}",
            where=file,
            hint=f"use one of its graphs: {names or 'there is none'}",
        )
    return as_graph(declared[name], what), name


def _is_graph(value: object) -> bool:
    return isinstance(value, (Node, Declaration, Compiled))


def as_graph(value: object, what: str) -> Graph:
    """Whatever holds a graph, as a graph."""
    if isinstance(value, Compiled):
        return value.graph
    if isinstance(value, (Node, Declaration)):
        return Graph.of(graph_of(value, "train"))
    raise InputError(
        f"{what} is a {type(value).__name__}, which has no graph",
        where="the command line",
        hint="name a node, a graph, a training or a compiled program",
    )


if __name__ == "__main__":
    sys.exit(main())
