"""Layers one after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import ParamSpec, overload

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ops.movement import DimLike
from chainrule.declare.calls import answering
from chainrule.nn.module import DTypeLike, Module, Remembered

__all__ = ["Sequential"]

P = ParamSpec("P")


@dataclass(frozen=True, eq=False, init=False)
class Sequential(Module):
    """Each layer applied to the result of the one before.

    Inside it, layers are named by class and count, `linear1`, `relu1`, `linear2`, unless they were
    given a name. It is indexed, sliced, measured and walked like a tuple of its layers.
    """

    layers: tuple[Module, ...]

    def __init__(self, *layers: Module, name: str | None = None, dtype: DTypeLike = None) -> None:
        """Adopt the layers in order.

        Raises:
            InputError: something is no layer.
        """
        check_layers("Sequential", layers)
        self._set(name=name, dtype=dtype, layers=layers)
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        for layer in self.layers:
            x = layer(x)
        return x

    def start(self, batch: int, length: int | None = None) -> Remembered:
        return tuple(each for layer in self.layers for each in layer.start(batch, length))

    def step(self, carry: Sequence[Node], x: Node, position: Node) -> tuple[Remembered, Node]:
        batch, found = x.shape[0], list[Node]()
        assert isinstance(batch, int)
        for layer in self.layers:
            own = carry[len(found) : len(found) + len(layer.start(batch, 1))]
            after, x = layer.step(own, x, position)
            found += after
        return tuple(found), x

    def read(self, x: Node, count: Node, length: int) -> tuple[Remembered, Node]:
        found: list[Node] = []
        for layer in self.layers:
            after, x = layer.read(x, count, length)
            found += after
        return tuple(found), x

    def parts(self) -> Iterator[tuple[str, Module | Node]]:
        seen: Counter[str] = Counter()
        for layer in self.layers:
            kind = type(layer).__name__.lower()
            seen[kind] += 1
            yield f"{kind}{seen[kind]}", layer

    def input_shape(self) -> tuple[DimLike, ...] | None:
        """That of the first layer that has one, unless a layer before it asks for images."""
        for layer in self.layers:
            shape = layer.input_shape()
            if shape is not None or not layer.takes_any_shape():
                return shape
        return None

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module | Sequential:
        if isinstance(index, slice):
            return Sequential(*self.layers[index], name=self.label.text)
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


def made_by(
    owner: str, name: str, make: Callable[P, object], *args: P.args, **named: P.kwargs
) -> Module:
    """The layer that a class of layers gives, or a function.

    Raises:
        InputError: it gives none.
    """
    given: object = make
    if isinstance(given, Module):
        raise InputError(
            f"{owner}: {name}={make!r} is a layer, and each place needs one of its own",
            hint=f"give its class, {name}=nn.{type(given).__name__}, or a function that makes one",
        )
    made = answering(make, f"{owner}: {name}")(*args, **named) if callable(given) else given
    if isinstance(made, Module):
        return made
    raise InputError(
        f"{owner}: {name}={make!r} makes no layer",
        hint=f"give a class of layers, or a function that gives one, such as {name}=nn.GELU",
    )


def check_layers(kind: str, layers: Sequence[object]) -> None:
    """Refuse what is no layer.

    Raises:
        InputError: something is none.
    """
    for position, layer in enumerate(layers, start=1):
        if not isinstance(layer, Module):
            raise InputError(
                f"{kind}: part {position} is a {type(layer).__name__}, not a layer",
                hint="give layers, such as nn.Linear(64, 32), nn.ReLU(); wrap a function: "
                "nn.Lambda(function)",
            )
