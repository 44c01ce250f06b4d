"""The passes, and the order in which a graph goes through them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from inspect import getdoc, signature
from types import BuiltinFunctionType
from typing import TypeGuard

from chainc.dataclass import dataclass
from chainc.ir import Graph
from chainc.ir.errors import InputError
from chainc.ops.runs.scan import with_bodies
from chainc.passes.canonicalize import canonicalize
from chainc.passes.contractions.convolve import convolve
from chainc.passes.contractions.lift import lift
from chainc.passes.contractions.reassociate import reassociate
from chainc.passes.cse import cse
from chainc.passes.dce import dce
from chainc.passes.fold import fold
from chainc.passes.fuse import fuse
from chainc.passes.reciprocals import reciprocals
from chainc.passes.simplify import simplify, simplify_fast
from chainc.passes.stabilize import stabilize


@dataclass(frozen=True)
class Pass:
    """A named step of compilation: a graph in, a graph of the same meaning out."""

    name: str
    run: Callable[[Graph], Graph]

    def apply(self, graph: Graph) -> Graph:
        """The graph after it: first what the graph's loops do in each step, then the graph."""
        return self.run(with_bodies(graph, self.apply))

    @property
    def meaning(self) -> str:
        """What it does, in the words of the file where a pass of ours is written, or its own."""
        return getdoc(sys.modules[self.run.__module__] if self.ours else self.run) or ""

    @property
    def ours(self) -> bool:
        """Is it one of this package, which does the same wherever it has this name?"""
        return f"{getattr(self.run, '__module__', '')}".startswith(f"{__name__}.")


PIPELINE: tuple[Pass, ...] = (
    # any graph -> one spelling of each idea, which the next two keep
    Pass("canonicalize", canonicalize),
    # before algebra takes the patterns apart -> no formula that overflows where another does not
    Pass("stabilize", stabilize),
    # any graph -> loops do in a step only what needs the step before; algebra sees the rest
    Pass("lift", lift),
    # what canonical formulas still say twice, or without need -> less of it
    Pass("simplify", simplify),
    # no spelling to be kept any more -> no op over constants, signs inside numbers
    Pass("fold", fold),
    # equal formulas spelled alike -> each computed once
    Pass("cse", cse),
    # updates that change nothing -> none of them, so that readers count
    Pass("dce", dce),
    # contractions as algebra leaves them -> none is added up window by window
    Pass("convolve", convolve),
    # products that one reader needs -> contracted in the cheapest order
    Pass("reassociate", reassociate),
    # no rule looks for quotients any more -> a reciprocal in the place of many divisions
    Pass("reciprocals", reciprocals),
    # values that one reader needs -> one kernel; regions and epilogues have no derivative
    Pass("fuse", fuse),
)


def passes_named(
    given: str | Sequence[Pass | str | Callable[[Graph], Graph]],
) -> tuple[Pass, ...]:
    """Passes from their names, from functions of a graph to a graph, or as they are.

    Raises:
        InputError: it is none of these.
    """
    return tuple(_as_pass(each) for each in (given if _are_several(given) else [given]))


def _are_several(given: object) -> TypeGuard[Sequence[object]]:
    return isinstance(given, Sequence) and not isinstance(given, str)


def _takes_a_graph(function: Callable[..., object]) -> bool:
    """Is it a function of one argument, and none of Python's own?"""
    try:
        signature(function).bind(None)
    except (TypeError, ValueError):
        return False
    return not isinstance(function, BuiltinFunctionType | type)


def _as_pass(given: object) -> Pass:
    if isinstance(given, Pass):
        return given
    if isinstance(given, str):
        found = next((step for step in PIPELINE if step.name == given), None)
        if found is not None:
            return found
    elif callable(given) and _takes_a_graph(given):
        return Pass(getattr(given, "__name__", type(given).__name__), given)
    known = ", ".join(step.name for step in PIPELINE)
    raise InputError(
        f"compile: {given!r} is no pass",
        hint=f"give a function from graph to graph, or one of {known}",
    )


def pipeline(fast_math: bool = False) -> tuple[Pass, ...]:
    """The default passes; with `fast_math`, `simplify` applies fast rules too."""
    if not fast_math:
        return PIPELINE
    return tuple(
        Pass(step.name, simplify_fast) if step.run is simplify else step for step in PIPELINE
    )
