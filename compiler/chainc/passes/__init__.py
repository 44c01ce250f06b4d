"""The passes, and the order in which a graph goes through them.

Their files are read when a graph goes through them: not where what they make has been kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from inspect import getdoc, signature
from types import BuiltinFunctionType
from typing import TypeGuard

from chainc.dataclass import dataclass
from chainc.ir import Graph
from chainc.ir.errors import InputError
from chainc.ops.runs.scan import with_bodies


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
        return getdoc(import_module(self.run.__module__) if self.ours else self.run) or ""

    @property
    def ours(self) -> bool:
        """Is it one of this package, which does the same wherever it has this name?"""
        return f"{getattr(self.run, '__module__', '')}".startswith(f"{__name__}.")


class _Later:
    """A function of a file here, which is read when the function is first called."""

    def __init__(self, file: str, name: str) -> None:
        self.__module__ = f"{__name__}.{file}"
        self.__name__ = name

    @cached_property
    def _function(self) -> Callable[[Graph], Graph]:
        function: Callable[[Graph], Graph] = getattr(import_module(self.__module__), self.__name__)
        return function

    def __call__(self, graph: Graph) -> Graph:
        return self._function(graph)


def _pass(file: str) -> Pass:
    """That of a file, which has the file's name."""
    name = file.rpartition(".")[2]
    return Pass(name, _Later(file, name))


PIPELINE: tuple[Pass, ...] = (
    # any graph -> one spelling of each idea, which the next two keep
    _pass("canonicalize"),
    # before algebra takes the patterns apart -> no formula that overflows where another does not
    _pass("stabilize"),
    # any graph -> loops do in a step only what needs the step before; algebra sees the rest
    _pass("contractions.lift"),
    # what canonical formulas still say twice, or without need -> less of it
    _pass("simplify"),
    # no spelling to be kept any more -> no op over constants, signs inside numbers
    _pass("fold"),
    # equal formulas spelled alike -> each computed once
    _pass("cse"),
    # updates that change nothing -> none of them, so that readers count
    _pass("dce"),
    # contractions as algebra leaves them -> none is added up window by window
    _pass("contractions.convolve"),
    # products that one reader needs -> contracted in the cheapest order
    _pass("contractions.reassociate"),
    # no rule looks for quotients any more -> a reciprocal in the place of many divisions
    _pass("reciprocals"),
    # values that one reader needs -> one kernel; regions and epilogues have no derivative
    _pass("fuse"),
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
    fast = Pass("simplify", _Later("simplify", "simplify_fast"))
    return tuple(fast if step.name == fast.name else step for step in PIPELINE)
