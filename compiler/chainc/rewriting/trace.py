"""The trace: which rule fired, and which node took the place of which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from chainc.dataclass import dataclass
from chainc.ir import Node, Origin, Rewrite, current_origin, describe
from chainc.ir.errors import Location, calling_location


@dataclass(frozen=True)
class Fired:
    """One step of a pass: by which rule, and what took the place of what.

    `location` is where the rule is written, in the compiler.
    """

    rule: str
    kind: str
    replaced: Node
    replacement: Node
    location: Location

    def __str__(self) -> str:
        return f"{self.rule}: {describe(self.replaced)} -> {describe(self.replacement)}"


_TRACE: ContextVar[list[Fired] | None] = ContextVar("trace", default=None)


@contextmanager
def tracing() -> Iterator[list[Fired]]:
    """Collects what fires inside."""
    fired: list[Fired] = []
    token = _TRACE.set(fired)
    try:
        yield fired
    finally:
        _TRACE.reset(token)


def note(
    rule: str,
    replaced: Node,
    replacement: Node,
    kind: str = "exact",
    location: Location | None = None,
) -> None:
    """Tell the trace that one node took the place of another.

    A pass that is no set of rules calls this itself; its rule is then written at the call.
    """
    fired = _TRACE.get()
    if fired is not None:
        place = location or calling_location()
        fired.append(Fired(rule, kind, replaced, replacement, place))


def replacing(node: Node, rule: str) -> Origin:
    """The origin of nodes that take this node's place."""
    origin = node.origin
    return Origin(origin.location, origin.scopes, origin.derivative, Rewrite(rule, node))


def in_gradient() -> bool:
    """Inside a rule's right side: is the replaced node part of a derivative?"""
    return current_origin().derivative is not None
