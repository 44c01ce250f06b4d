"""Recurrent layers: what goes along a sequence and remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from chainc.dataclass import dataclass
from chainc.ir import Node, describe, scope
from chainc.ir.errors import GraphError, InputError, ShapeError
from chainc.ops import (
    broadcast_to,
    concat,
    expand_dims,
    relu,
    sigmoid,
    tanh,
    updating,
    where,
)
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count, is_one_of
from chainrule.declare.leaves import constant
from chainrule.nn.dropout import Dropout
from chainrule.nn.fitting import require_float
from chainrule.nn.module import DTypeLike, Module, Remembered
from chainrule.nn.sequences.carried import (
    carried_states,
    first_carries,
    kept_carries,
    no_memory,
)
from chainrule.nn.sequences.cell import Cell
from chainrule.sequences.lengths import counted
from chainrule.sequences.scan import scan

__all__ = ["GRU", "LSTM", "RNN"]

NONLINEARITIES: Mapping[str, Callable[[Node], Node]] = {"tanh": tanh, "relu": relu}


@dataclass(frozen=True, eq=False, init=False)
class Recurrent(Module):
    """What recurrent layers share: layers on each other, directions, lengths, streams."""

    gates: ClassVar[int]
    carries: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("h",)

    features: int
    hidden: int
    layers: int
    bidirectional: bool
    dropout: Dropout
    cells: tuple[Cell, ...]
    carried: tuple[Node, ...]

    def __init__(
        self,
        features: int,
        hidden: int,
        layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        carry_state: int | bool | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the weights, uniform within 1/√hidden as in PyTorch.

        Args:
            features: of each element of the sequence.
            hidden: how many numbers are remembered.
            layers: so many on each other; each reads what the one below gives.
            bidirectional: whether each also goes backwards; results lie side by side.
            dropout: the share that is dropped in training between layers.
            carry_state: the rows of a batch, or True for those of the training's, where each goes
                on with the sequence in its place of the batch before, as those of
                `text.Characters.streams`: a training step begins with the carries that the one
                before has left, through which no gradient goes (truncated backpropagation through
                time). The first step of an epoch begins with zeros, and so does all else. Train
                without `shuffle`.
            name: the layer's own part of its parameters' names.
            dtype: of them, "float32" or "float64"; by default float32.

        Raises:
            InputError: a size is no positive whole number, the share is not from 0 to below 1, or
                a layer that also goes backwards shall carry its state.
        """
        kind = type(self).__name__
        hint = f"give both sizes, such as nn.{kind}(64, 128)"
        inputs = count(kind, "features", features, hint=hint)
        size = count(kind, "hidden", hidden, hint=hint)
        height = count(kind, "layers", layers, hint=hint)
        both = as_flag(kind, "bidirectional", bidirectional)
        directions = 2 if both else 1
        widths = [inputs, *[size * directions] * (height - 1)]
        cells = [Cell(width, size, self.gates) for width in widths for _ in range(directions)]
        self._set(
            name=name,
            dtype=dtype,
            features=inputs,
            hidden=size,
            layers=height,
            bidirectional=both,
            dropout=Dropout(dropout),
            cells=tuple(cells),
            carried=carried_states(kind, carry_state, height * self.carries, size, backwards=both),
        )
        self.__post_init__()

    def forward(self, x: Node, lengths: Node | None = None) -> Node:
        every, _ = self.run(x, lengths)
        return every

    def run(self, x: Node, lengths: Node | None = None) -> tuple[Node, Sequence[Sequence[Node]]]:
        """What the last layer gives in each step, and what each layer remembers in the end.

        Args:
            x: (batch, time, features).
            lengths: (batch), integers: how much of each sequence counts. Behind it nothing is
                remembered anew, and the result is 0. A call refuses more than there are steps.

        Returns:
            (batch, time, hidden), twice as wide in both directions; and for each layer, first
            forwards then backwards, its carries of (batch, hidden).

        Raises:
            ShapeError: x has another shape.
        """
        require_float(self.label, x)
        if x.ndim != 3 or x.shape[2] != self.features:
            raise ShapeError(
                f"{self.label}: expected (batch, time, {self.features}), got {describe(x)}",
                hint="give sequences of vectors, such as those of nn.Embedding",
            )
        counts = None if lengths is None else self._counts(x, lengths)
        last: list[Sequence[Node]] = []
        parts = list(zip(self.cells, self._first(x), strict=True))
        directions = len(self.cells) // self.layers
        for layer in range(self.layers):
            given = self.dropout(x) if layer else x
            found = [
                self._along(given, cell, first, counts, reverse=way == 1)
                for way, (cell, first) in enumerate(parts[layer * directions :][:directions])
            ]
            last += [carry for _, carry in found]
            x = concat([every for every, _ in found], axis=2) if self.bidirectional else found[0][0]
        carries = [carry for each in last for carry in each]
        return updating(x, kept_carries(self.carried, carries)) if self.carried else x, last

    def start(self, batch: int, length: int | None = None) -> Remembered:
        if self.bidirectional:
            raise GraphError(
                f"{self.label}: it also goes backwards, so it needs whole sequences",
                hint="declare the layer without bidirectional=True to go on step by step",
            )
        zeros = constant(0.0, self.cells[0].input_weight.dtype)
        return (broadcast_to(zeros, (batch, self.hidden)),) * (self.carries * self.layers)

    def step(self, carry: Sequence[Node], x: Node, position: Node) -> tuple[Remembered, Node]:
        found: list[Node] = []
        with scope(self.label.text):
            for cell in self.cells:
                given = self.dropout(found[-self.carries]) if found else x
                found += self._step(cell, given, *carry[len(found) :][: self.carries])
        return tuple(found), found[-self.carries]

    def read(self, x: Node, count: Node, length: int) -> tuple[Remembered, Node]:
        self.start(1, length)  # refuses to go backwards
        every, last = self.run(x, broadcast_to(count, x.shape[:1]))
        return tuple(carry for each in last for carry in each), every

    def _first(self, x: Node) -> Sequence[Sequence[Node]]:
        """The carries of every cell before the first step."""
        if not self.carried:
            return [[self._zeros(x)] * self.carries for _ in self.cells]
        kept = first_carries(self.carried, x)
        return [kept[i : i + self.carries] for i in range(0, len(kept), self.carries)]

    def _zeros(self, x: Node) -> Node:
        return no_memory(x, self.cells[0].hidden_weight, self.hidden)

    def steps(self, x: Node) -> Mapping[str, Node]:
        """What the first layer holds in each step, forwards: its gates, and what it remembers.

        Args:
            x: (batch, time, features).

        Returns:
            By name, such as "forget" and "c", each (batch, time, hidden).
        """
        names: list[str] = []
        cell = self.cells[0]

        def step(carry: Sequence[Node], given: Node) -> tuple[Sequence[Node], Sequence[Node]]:
            after = self._step(cell, given, *carry)
            held = {**self._gates(cell, given, *carry), **dict(zip(self.names, after, strict=True))}
            names[:] = held
            return after, list(held.values())

        first = [self._zeros(x)] * self.carries
        _, every = scan(step, first, x, axis=1, names=[*self.names, "x"])
        assert isinstance(every, tuple)
        return dict(zip(names, every, strict=True))

    def _counts(self, x: Node, lengths: Node) -> Node:
        """(batch, time, 1): does a step count?"""
        if lengths.ndim != 1 or lengths.dtype.kind != "i":
            raise InputError(
                f"{self.label}: the lengths {describe(lengths)} are no (batch) of integers",
                hint='declare them as cr.input("lengths", ("batch",), dtype="int32")',
            )
        return expand_dims(counted(lengths, x.shape[1]), 2)

    def _along(
        self,
        x: Node,
        cell: Cell,
        first: Sequence[Node],
        counts: Node | None,
        *,
        reverse: bool,
    ) -> tuple[Node, Sequence[Node]]:
        def step(carry: Sequence[Node], given: Sequence[Node]) -> tuple[Sequence[Node], Node]:
            after = self._step(cell, given[0], *carry)
            if counts is None:
                return after, after[0]
            pairs = zip(after, carry, strict=True)
            return [where(given[1], new, old) for new, old in pairs], where(given[1], after[0], 0)

        sequences = [x] if counts is None else [x, counts]
        names = [*self.names, "x", "counts"]
        names = names[: len(first) + len(sequences)]
        last, every = scan(step, first, sequences, axis=1, reverse=reverse, names=names)
        assert isinstance(every, Node)
        assert isinstance(last, tuple)
        return every, last

    def _step(self, cell: Cell, x: Node, *carry: Node) -> Sequence[Node]:
        """The next carries; the first is the result."""
        raise NotImplementedError

    def _gates(self, cell: Cell, x: Node, *carry: Node) -> Mapping[str, Node]:
        """How far each gate is open in a step, by name."""
        return {}

    def _parts(self, z: Node) -> Sequence[Node]:
        """What the gates are computed from."""
        return [z[:, i * self.hidden : (i + 1) * self.hidden] for i in range(self.gates)]

    def __repr__(self) -> str:
        more = f", layers={self.layers}" if self.layers > 1 else ""
        more += ", bidirectional=True" if self.bidirectional else ""
        return f"{type(self).__name__}({self.features}, {self.hidden}{more})"


class RNN(Recurrent):
    """h' = tanh(x·W + b + h·U + c), the recurrent layer of Elman, from (batch, time, features).

    Attributes:
        nonlinearity: "tanh", or "relu" in its place.
    """

    gates = 1
    nonlinearity: str

    def __init__(
        self,
        features: int,
        hidden: int,
        layers: int = 1,
        *,
        nonlinearity: str = "tanh",
        bidirectional: bool = False,
        dropout: float = 0.0,
        carry_state: int | bool | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the weights; arguments are those of `LSTM`, and the nonlinearity.

        Raises:
            InputError: there is no such nonlinearity, or an argument does not fit.
        """
        if not is_one_of(nonlinearity, NONLINEARITIES):
            raise InputError(
                f"RNN: there is no nonlinearity {nonlinearity!r}",
                hint=f"give one of {', '.join(NONLINEARITIES)}",
            )
        self._set(nonlinearity=nonlinearity)
        super().__init__(
            features, hidden, layers, bidirectional=bidirectional, dropout=dropout,
            carry_state=carry_state, name=name, dtype=dtype,
        )  # fmt: skip

    def _step(self, cell: Cell, x: Node, *carry: Node) -> Sequence[Node]:
        (h,) = carry
        inputs = x @ cell.input_weight + cell.input_bias
        total = inputs + (h @ cell.hidden_weight + cell.hidden_bias)
        return [NONLINEARITIES[self.nonlinearity](total)]


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), with the gates of PyTorch.

        i, f, g, o = x·W + b + h·U + c, side by side
        c' = σ(f) · c + σ(i) · tanh(g),   h' = σ(o) · tanh(c')

    From (batch, time, features) to (batch, time, hidden).
    """

    gates = 4
    carries = 2
    names = ("h", "c")

    def _step(self, cell: Cell, x: Node, *carry: Node) -> Sequence[Node]:
        gates = self._gates(cell, x, *carry)
        memory = gates["forget"] * carry[1] + gates["input"] * gates["new"]
        return [gates["output"] * tanh(memory), memory]

    def _gates(self, cell: Cell, x: Node, *carry: Node) -> Mapping[str, Node]:
        inputs = x @ cell.input_weight + cell.input_bias
        i, f, g, o = self._parts(inputs + (carry[0] @ cell.hidden_weight + cell.hidden_bias))
        return {"forget": sigmoid(f), "input": sigmoid(i), "new": tanh(g), "output": sigmoid(o)}


class GRU(Recurrent):
    """Gated recurrent units, in the form of PyTorch: reset after the product.

        r, z = σ(x·W + b + h·U + c), side by side
        n = tanh(x·W + b + r · (h·U + c)),   h' = (1 - z) · n + z · h

    From (batch, time, features) to (batch, time, hidden).

    Attributes:
        reset_after: whether so; else before it, n = tanh(x·W + b + (r · h)·U + c), as they were
            published (Cho et al., 2014). Keras has both under this name, with z before r.
    """

    gates = 3
    reset_after: bool

    def __init__(
        self,
        features: int,
        hidden: int,
        layers: int = 1,
        *,
        reset_after: bool = True,
        bidirectional: bool = False,
        dropout: float = 0.0,
        carry_state: int | bool | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the weights; arguments are those of `LSTM`, and when to reset.

        Raises:
            InputError: an argument does not fit.
        """
        self._set(reset_after=as_flag("GRU", "reset_after", reset_after))
        super().__init__(
            features, hidden, layers, bidirectional=bidirectional, dropout=dropout,
            carry_state=carry_state, name=name, dtype=dtype,
        )  # fmt: skip

    def _step(self, cell: Cell, x: Node, *carry: Node) -> Sequence[Node]:
        gates = self._gates(cell, x, *carry)
        z = gates["update"]
        return [(1 - z) * gates["new"] + z * carry[0]]

    def _gates(self, cell: Cell, x: Node, *carry: Node) -> Mapping[str, Node]:
        given = self._parts(x @ cell.input_weight + cell.input_bias)
        (h,), ends = carry, 2 * self.hidden
        if self.reset_after:
            known = self._parts(h @ cell.hidden_weight + cell.hidden_bias)
        else:
            known = self._parts(h @ cell.hidden_weight[:, :ends] + cell.hidden_bias[:ends])[:2]
        r, z = (sigmoid(a + b) for a, b in zip(given[:2], known[:2], strict=True))
        if self.reset_after:
            memory = r * known[2]
        else:
            memory = (r * h) @ cell.hidden_weight[:, ends:] + cell.hidden_bias[ends:]
        return {"reset": r, "update": z, "new": tanh(given[2] + memory)}
