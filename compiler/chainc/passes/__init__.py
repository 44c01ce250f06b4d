"""The passes, and the order in which a graph goes through them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainc.ir import Graph
from chainc.passes.canonicalize import canonicalize
from chainc.passes.stabilize import stabilize


@dataclass(frozen=True)
class Pass:
    """A named step of compilation: a graph in, a graph of the same meaning out."""

    name: str
    run: Callable[[Graph], Graph]


PIPELINE: tuple[Pass, ...] = (Pass("canonicalize", canonicalize), Pass("stabilize", stabilize))


def pipeline(fast_math: bool = False) -> tuple[Pass, ...]:
    """The default passes; with `fast_math` also the rules that hold for real numbers only."""
    return PIPELINE
