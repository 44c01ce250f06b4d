"""The lowered form: kernels over buffers, in order, and the training loop around them.

Nothing here knows ops or graphs. A backend prints the kernels in its own language; the memory
planner decides which buffers share storage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import cached_property

from chainc.dataclass import dataclass
from chainc.ir import Origin
from chainc.ir.types import Dim, names_of
from chainc.lowering.kernels import Kernel, Names, renamed_all
from chainc.lowering.views import Buffer, Operand, SizeValue, View


@dataclass(frozen=True)
class IndexBound:
    """An input whose values are used as indices must lie in 0 … bound-1."""

    key: str
    bound: Dim
    origin: Origin


@dataclass(frozen=True, eq=False)
class Program:
    """Kernels in order.

    `prologue` depends on sizes and constants only and runs once when the program is bound;
    `body` runs at each call. `updates` are copies of new values into state slots that the
    planner could not write in place; they run last. `in_place` says which values a buffer holds
    one after another, where it holds several. A `seldom` program should rather compile quickly
    than run fast.
    """

    inputs: tuple[Buffer, ...]
    states: tuple[Buffer, ...]
    prologue: tuple[Kernel, ...]
    body: tuple[Kernel, ...]
    updates: tuple[tuple[Buffer, View], ...]
    outputs: tuple[Operand, ...]
    names: tuple[str, ...]
    index_bounds: tuple[IndexBound, ...] = ()
    in_place: Mapping[Buffer, tuple[Buffer, ...]] = field(default_factory=dict)
    seldom: bool = False

    @cached_property
    def size_names(self) -> tuple[str, ...]:
        """Every named size: in order of appearance in the inputs, then those that none has."""
        dims = [dim for buffer in self.inputs for dim in buffer.type.shape]
        kernels = (*self.prologue, *self.body)
        values = [*(each for kernel in kernels for each in kernel.operands), *self.outputs]
        for type in (*(kernel.out.type for kernel in kernels), *(each.type for each in values)):
            dims.extend(type.shape)
        dims.extend(each.dim for each in values if isinstance(each, SizeValue))
        return tuple(dict.fromkeys(name for dim in dims for name in names_of(dim)))


@dataclass(frozen=True)
class Loop(Kernel):
    """Does a program again and again, over other slices of some buffers in each step.

    The program's states are the carries. Buffers from outside it may read whenever it wants; its
    own have room for one step.

    Attributes:
        slices: what stands in the program for a slice along the first axis of which buffer.
        reverse: begin with the last slices.
        condition: the state that says before each step whether there is another one.
    """

    program: Program
    slices: tuple[tuple[Buffer, Buffer], ...]
    length: Dim
    reverse: bool
    condition: Buffer | None = None

    @property
    def outs(self) -> tuple[Buffer, ...]:
        """What it leaves, then what it needs room for."""
        whole = dict(self.slices)
        written = (out for kernel in self.program.body for out in kernel.outs)
        states = self.program.states
        return tuple(dict.fromkeys((*states, *(whole.get(each, each) for each in written))))

    @property
    def stored(self) -> tuple[tuple[Buffer, Buffer], ...]:
        return tuple((out, out) for out in self.outs)

    def apart(self) -> Iterator[Kernel]:
        body = tuple(part for kernel in self.program.body for part in kernel.apart())
        yield replace(self, program=replace(self.program, body=body))

    def over(self, names: Names) -> Loop:
        program = replace(
            self.program,
            states=tuple(names.get(each, each) for each in self.program.states),
            body=tuple(kernel.over(names) for kernel in self.program.body),
            updates=tuple(
                (names.get(slot, slot), replace(view, buffer=names.get(view.buffer, view.buffer)))
                for slot, view in self.program.updates
            ),
        )
        return replace(
            self,
            out=names.get(self.out, self.out),
            operands=renamed_all(self.operands, names),
            program=program,
            slices=tuple((each, names.get(whole, whole)) for each, whole in self.slices),
            condition=self.condition and names.get(self.condition, self.condition),
        )

    def with_program(self, program: Program) -> Loop:
        """The loop with its program in another form."""
        return replace(self, program=program).reading_outside()

    def reading_outside(self) -> Loop:
        """The loop with what its program reads as operands: whole buffers that it did not write."""
        program, whole = self.program, dict(self.slices)
        own = {out for kernel in program.body for out in kernel.outs}
        values = (view.buffer for kernel in program.body for view in kernel.reads)
        kept = (view.buffer for _, view in program.updates)
        read = [whole.get(each, each) for each in (*values, *kept) if each not in own]
        buffers = dict.fromkeys((*program.states, *read))
        return replace(self, operands=tuple(View(each, each.type) for each in buffers))


@dataclass(frozen=True)
class Summary:
    """What is reported of an epoch, from what its batches have added up.

    `program` has one output, the reported numbers times `rows`, a vector, and these inputs: the
    vector of all totals, and the rows that they are of, both float64. `sums` says of each output
    of the program that runs on batches whether it is a sum over their rows; the others are means.
    """

    program: Program
    sums: tuple[bool, ...]
    totals: str  # key of the input
    rows: str


@dataclass(frozen=True)
class EpochEnd:
    """What is done after each epoch.

    `program` reads the record of the epoch, a vector of float64, and whether the run ends with it;
    it updates states, and its output says whether the training is over.
    """

    program: Program
    record: str  # key of the input
    last: str
    needs_validation: bool  # it reads what only validation data give


@dataclass(frozen=True)
class TrainingLoop:
    """Epochs over minibatches around a step: a structure, not Python.

    Each epoch visits the rows of the batch inputs in a new order; the last batch may be smaller,
    and is done by the same step. `evaluate` gives the same outputs on other data, without
    updates. Without a summary the outputs are means over rows, and are reported as such.

    Attributes:
        reported: the name of each number that is reported, of the step and of the evaluation alike.
    """

    step: Program
    evaluate: Program
    batch_inputs: tuple[str, ...]  # inputs whose first axis is the batch
    batch_size: int
    shuffle: bool
    order_stream: int
    least_rows: int = 1  # that a step needs, the last one of an epoch too
    watch: bool = False  # stop at the first number that is not finite, and say where it arose
    reported: tuple[str, ...] = ()
    step_summary: Summary | None = None
    evaluate_summary: Summary | None = None
    epoch_end: EpochEnd | None = None
    whole: tuple[int, ...] = ()  # places of outputs that only all rows at once give

    @property
    def summaries(self) -> Mapping[str, Summary]:
        """Those that there are, by the name of what they summarise."""
        named = {"step": self.step_summary, "evaluate": self.evaluate_summary}
        return {name: summary for name, summary in named.items() if summary is not None}
