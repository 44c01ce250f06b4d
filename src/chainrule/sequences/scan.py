"""A loop over a sequence, as nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainc.ir import Node, Operand, apply, topological
from chainc.ir.errors import GraphError, ShapeError
from chainc.ir.types import Dim, TensorType, int64
from chainc.ops.index import arange
from chainc.ops.movement import as_flag, as_shape, normalize_axis, permute_dims
from chainc.ops.runs.random import drawing_in_step
from chainc.ops.runs.scan import Scan, step_input, steps_of
from chainrule.declare.arguments import several, text
from chainrule.sequences.steps import (
    Nodes,
    check_carries,
    check_function,
    closed,
    nodes,
    numbered,
    told,
)

Step = Callable[..., tuple[Nodes, Nodes | None]]


def scan(
    cell: Step,
    carry: Operand | Sequence[Operand],
    xs: Operand | Sequence[Operand] | None = None,
    *,
    axis: int = 0,
    length: Dim | str | None = None,
    reverse: bool = False,
    recompute: bool = False,
    names: Sequence[str] | None = None,
) -> tuple[Nodes, Nodes | None]:
    """A loop: `carry, kept_t = cell(carry, x_t)` for every slice x_t of the sequences.

        def cell(h, x_t):
            h = cr.tanh(x_t @ wx + h @ wh + b)
            return h, h
        last, every = cr.scan(cell, carry=h0, xs=x, axis=1)

    The cell is called once, when the loop is declared. What else it reads, such as weights, is the
    same in all steps; what it draws at random is new in each. `cr.grad` goes through.

    Args:
        cell: gives the next carry, and what is kept of the step or None.
        carry: before the first step, a node or several; a step must not change their types.
        xs: a node or several that are cut along `axis`; None where the steps get none, and then
            the cell is called with the carry alone.
        axis: of the sequences and of what is kept that counts the steps.
        length: the number of steps, where there are no sequences.
        reverse: from the last slice to the first; slices keep their places.
        recompute: a derivative does each step again, rather than read what all steps have kept, and
            nothing is done for all steps at once: less memory, and more work.
        names: what pictures call the carries and the slices; by default what the cell does.

    Returns:
        The last carry, and all that was kept along `axis`, each a node or several as the cell
        gives it.

    Raises:
        GraphError: the cell gives something else than two values, or no nodes.
        ShapeError: a step changes the type of a carry, sequences differ in their length, or there
            is no step.
    """
    ways = as_flag("scan", "reverse", reverse), as_flag("scan", "recompute", recompute)
    return _Loop(cell, carry, xs, axis, length, ways, names).results()


class _Loop:
    def __init__(
        self,
        cell: Step,
        carry: object,
        xs: object,
        axis: int,
        length: Dim | str | None,
        ways: tuple[bool, bool],
        names: Sequence[str] | None,
    ) -> None:
        self.first, self.several_carries = nodes("scan", "the carry", carry)
        given, self.several_sequences = nodes("scan", "xs", () if xs is None else xs)
        self.axes = [normalize_axis("scan", axis, each.ndim) for each in given]
        self.given = [_leading(each, at) for each, at in zip(given, self.axes, strict=True)]
        self.axis, (self.reverse, self.recompute) = axis, ways
        self.names = names
        self.length = self._length(length)
        self._trace(cell, has_sequences=xs is not None)

    def _length(self, length: Dim | str | None) -> Dim:
        found = [each.shape[0] for each in self.given]
        if length is not None:
            found.append(*as_shape([length]))
        if not found:
            raise ShapeError(
                "scan: neither sequences nor a length say how many steps there are",
                hint="give xs, or length=10",
            )
        if any(each != found[0] for each in found):
            listed = ", ".join(map(str, found))
            raise ShapeError(
                f"scan: the sequences have {listed} steps",
                hint="give sequences that are equally long along the axis",
            )
        if found[0] == 0:
            empty = f": the sequences are empty along axis {self.axes[0]}" if self.given else ""
            raise ShapeError(
                f"scan: there is no step{empty}", hint="give sequences of at least one element"
            )
        return found[0]

    def _trace(self, cell: Step, *, has_sequences: bool) -> None:
        slices = [each.type.with_shape(each.shape[1:]) for each in self.given]
        types = [*(each.type for each in self.first), *slices]
        inputs = [step_input(position, type) for position, type in enumerate(types)]
        number = step_input(len(inputs), TensorType((), int64))
        count = len(self.first)
        carry = tuple(inputs[:count]) if self.several_carries else inputs[0]
        given = tuple(inputs[count:]) if self.several_sequences else inputs[-1]
        arguments = (carry, given) if has_sequences else (carry,)
        told_as = "the carry and a slice" if has_sequences else "the carry alone: there are no xs"
        hint = "give a function, such as def cell(carry, x_t): return carry, carry"
        names = check_function("scan", "the cell", cell, arguments, told_as, hint)
        self.called = self._called(names)
        with drawing_in_step(number):
            result: object = cell(*arguments)
        if not isinstance(result, tuple) or len(result) != 2:
            raise GraphError(
                f"scan: the cell gives {told(result)}, not the next carry and what is kept",
                hint="return two values, such as return h, h, or return h, None",
            )
        nexts, _ = nodes("scan", "the cell's carry", result[0])
        kept, self.several_kept = nodes(
            "scan", "what the cell keeps", () if result[1] is None else result[1]
        )
        self.keeps = result[1] is not None
        check_carries("scan", self.first, nexts)
        outputs = steps_of(inputs[:count], nexts, kept, recompute=self.recompute).outputs
        if number in set(topological(outputs)):
            inputs.append(number)
            self.called = (*self.called, "t")
            self.given.append(arange(self.length))
        self.body, self.fixed = closed("scan", inputs, outputs)
        self.kept = len(kept)

    def _called(self, names: Sequence[str]) -> tuple[str, ...]:
        """What the carries and the slices are called: as given, or as the cell calls them."""
        counts = [len(self.first), len(self.given)]
        if self.names is None:
            pairs = zip(names, counts, strict=False)
            return tuple(each for name, count in pairs for each in numbered(name, count))
        hint = "give a text for each carry and slice, carries first, or leave names= out"
        given = [
            text("scan", "a name", each) for each in several("scan", "names", self.names, hint=hint)
        ]
        if len(given) != sum(counts):
            raise GraphError(
                f"scan: {len(given)} names for {sum(counts)} carries and slices", hint=hint
            )
        return tuple(given)

    def results(self) -> tuple[Nodes, Nodes | None]:
        count = len(self.first)
        carries = [self._result(place) for place in range(count)]
        kept = [self._kept(count + place) for place in range(self.kept)]
        last: Nodes = tuple(carries) if self.several_carries else carries[0]
        if not self.keeps:
            return last, None
        return last, tuple(kept) if self.several_kept else kept[0]

    def _result(self, place: int) -> Node:
        counts = len(self.first), len(self.given)
        loop = Scan(
            self.body,
            *counts,
            self.length,
            place,
            self.reverse,
            self.called,
            recompute=self.recompute,
        )
        return apply(loop, *self.first, *self.given, *self.fixed)

    def _kept(self, place: int) -> Node:
        """With the steps along the axis."""
        found = self._result(place)
        axis = normalize_axis("scan", self.axis, found.ndim)
        return found if axis == 0 else permute_dims(found, _to(axis, found.ndim))


def _leading(x: Node, axis: int) -> Node:
    """With an axis before all others."""
    order = (axis, *(each for each in range(x.ndim) if each != axis))
    return x if axis == 0 else permute_dims(x, order)


def _to(axis: int, ndim: int) -> Sequence[int]:
    """The axes of a node whose first goes to a place."""
    others = list(range(1, ndim))
    return (*others[:axis], 0, *others[axis:])
