"""Where a node comes from: the user's line, the layers around it, the derivative, the rewrite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir.errors import Location, user_location

if TYPE_CHECKING:
    from chainc.ir.node import Node


@dataclass(frozen=True, eq=False)
class Scope:
    """One use of a layer or a composed function: the box that a picture can open or close.

    Two uses of one layer are two scopes, hence compared by identity.
    """

    name: str


@dataclass(frozen=True)
class Derivative:
    """Why a gradient node exists: the chain-rule step that made it."""

    forward: Node  # the node whose output or operand this is the cotangent of
    operand: int | None  # which operand of `forward`; None for a cotangent of its output
    rule: str  # "seed", "local derivative", "fan-out sum", "un-broadcast", "un-promote", "unused"


@dataclass(frozen=True)
class Rewrite:
    """Which named rule of which pass put this node in place of another."""

    rule: str
    replaced: Node


@dataclass(frozen=True)
class Origin:
    """Where a node comes from; pictures, traces, derivations and errors read it."""

    location: Location | None = None
    scopes: tuple[Scope, ...] = ()
    derivative: Derivative | None = None
    rewrite: Rewrite | None = None

    @property
    def scope(self) -> str:
        return "/".join(scope.name for scope in self.scopes)


_SCOPES: ContextVar[tuple[Scope, ...]] = ContextVar("scopes", default=())
_ORIGIN: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Nodes made inside carry `name` at the end of their scope path."""
    token = _SCOPES.set((*_SCOPES.get(), Scope(name)))
    try:
        yield
    finally:
        _SCOPES.reset(token)


class Originating:
    """A context that is entered by the thousands, so it is no generator."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def __enter__(self) -> None:
        self._token = _ORIGIN.set(self._origin)

    def __exit__(self, *error: object) -> None:
        _ORIGIN.reset(self._token)


def originating(origin: Origin) -> Originating:
    """Nodes made inside carry exactly this origin: they are derived, not declared."""
    return Originating(origin)


def current_origin() -> Origin:
    return _ORIGIN.get() or Origin(user_location(), _SCOPES.get())
