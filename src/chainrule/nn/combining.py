"""Layers that hold others, or that only change a shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chainc.dataclass import dataclass
from chainc.ir import Node, describe
from chainc.ir.errors import InputError
from chainc.ops import concat, reshape
from chainc.ops.movement import whole
from chainrule.declare.arguments import count
from chainrule.declare.calls import answering
from chainrule.nn.fitting import misfit
from chainrule.nn.module import DTypeLike, Module
from chainrule.nn.sequential import Sequential, check_layers

__all__ = ["Concat", "Flatten", "Lambda", "Reshape", "Residual"]


@dataclass(frozen=True, eq=False)
class Flatten(Module):
    """From (batch, ...) to (batch, n): all axes of a row as one, in row-major order."""

    def forward(self, x: Node) -> Node:
        if x.ndim == 0:
            hint = "give it an input of shape (batch, ...)"
            raise misfit(self.label, x, "it must have rows", hint)
        return reshape(x, (x.shape[0], -1))

    def __repr__(self) -> str:
        return "Flatten()"


@dataclass(frozen=True, eq=False, init=False)
class Reshape(Module):
    """Each row in another shape, in row-major order: `(batch, ...)` to `(batch, *shape)`.

    Attributes:
        shape: of a row; one size may be -1, found from the others.
    """

    shape: tuple[int, ...]

    def __init__(self, *shape: int, name: str | None = None) -> None:
        """Take the shape, such as nn.Reshape(1, 28, 28).

        Raises:
            InputError: a size is no positive whole number, nor a single -1.
        """
        hint = "give the sizes of a row, such as nn.Reshape(1, 28, 28); one may be -1"
        for each in shape:
            if whole(each) != -1:
                count("Reshape", "a size", each, hint=hint)
        if sum(whole(each) == -1 for each in shape) > 1:
            raise InputError("Reshape: two sizes are to be found", hint=hint)
        self._set(name=name, shape=shape)
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        if x.ndim == 0:
            hint = "give it an input of shape (batch, ...)"
            raise misfit(self.label, x, "it must have rows", hint)
        return reshape(x, (x.shape[0], *self.shape))

    def __repr__(self) -> str:
        return f"Reshape({', '.join(map(str, self.shape))})"


@dataclass(frozen=True, eq=False, init=False)
class Residual(Module):
    """Y = shortcut(x) + inner(x), by default x + inner(x) (He, Zhang, Ren, Sun 2016).

    Attributes:
        inner: what is added: a layer, or several one after another.
        shortcut: a layer that brings x to the shape of the inner result; None for x itself.
    """

    inner: Module
    shortcut: Module | None

    def __init__(
        self,
        *inner: Module,
        shortcut: Module | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Adopt the layers.

        Raises:
            InputError: something is no layer, or there is none.
        """
        check_layers("Residual", [*inner, *([] if shortcut is None else [shortcut])])
        if not inner:
            raise InputError("Residual: there is no layer", hint="give what x is added to")
        whole = inner[0] if len(inner) == 1 else Sequential(*inner, name="inner")
        self._set(name=name, dtype=dtype, inner=whole, shortcut=shortcut)
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        way = x if self.shortcut is None else self.shortcut(x)
        result = self.inner(x)
        if way.type != result.type:
            wanted = f"the inner result is {describe(result)}, the shortcut {describe(way)}"
            hint = "let both have one type, such as with shortcut=nn.Linear(...)"
            raise misfit(self.label, x, wanted, hint)
        return way + result


@dataclass(frozen=True, eq=False, init=False)
class Concat(Module):
    """The results of several branches of one input, side by side along an axis.

    Attributes:
        branches: layers that are all applied to x.
        axis: along which their results are put together.
    """

    branches: tuple[Module, ...]
    axis: int

    def __init__(
        self, *branches: Module, axis: int = -1, name: str | None = None, dtype: DTypeLike = None
    ) -> None:
        """Adopt the branches.

        Raises:
            InputError: something is no layer, or there is none.
        """
        check_layers("Concat", branches)
        if not branches:
            raise InputError("Concat: there is no branch", hint="give layers of one input")
        self._set(name=name, dtype=dtype, branches=branches, axis=axis)
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        return concat([branch(x) for branch in self.branches], axis=self.axis)

    def parts(self) -> Iterator[tuple[str, Module | Node]]:
        for position, branch in enumerate(self.branches, start=1):
            yield f"branch{position}", branch


@dataclass(frozen=True, eq=False)
class Lambda(Module):
    """A function of nodes as a layer, such as nn.Lambda(lambda x: x[:, ::-1]).

    It holds no parameters that the function reads: write a subclass of nn.Module for these.

    Attributes:
        function: from one or more nodes to a node.

    Raises:
        InputError: it is no function.
    """

    function: Callable[..., Node]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InputError(
                f"Lambda: {self.function!r} is no function",
                hint="give a function of nodes, such as nn.Lambda(cr.abs)",
            )
        super().__post_init__()

    def forward(self, *inputs: Node) -> Node:
        return answering(self.function, f"the function of {self.label}")(*inputs)

    def __repr__(self) -> str:
        return f"Lambda({getattr(self.function, '__name__', 'function')})"
