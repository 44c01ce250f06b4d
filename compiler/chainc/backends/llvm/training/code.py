"""A training loop as one module: the step, the evaluation, and the loop around them.

@bind    copies the state in and computes what stays the same
@train   all epochs; @validate the evaluation alone
@store   copies the state out
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

from chainc.backends.llvm.machine_code.fingerprint import fingerprint
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.processor import Processor
from chainc.backends.llvm.program import ARGUMENTS, KernelUse, Memory, ProgramPrinter
from chainc.backends.llvm.runtime.control_block import MAX_THREADS
from chainc.backends.llvm.runtime.entry import environment, exported
from chainc.backends.llvm.runtime.failures import Failures
from chainc.backends.llvm.runtime.threads import barrier
from chainc.backends.llvm.training.placement import batches, placement
from chainc.backends.llvm.training.text import TrainingLayout, Visit, training_text
from chainc.ir.errors import GraphError
from chainc.ir.types import DType, TensorType, int64, uint8
from chainc.loops.language import Nest
from chainc.lowering.program import Buffer, Contraction, Gather, Group, Program, TrainingLoop, View
from chainc.schedules.layout.access import Capacity, UnboundError

ENTRIES = ("bind", "train", "validate", "store")
WORTH_SHARING = 2_000_000  # multiplications a step: some 20 µs on one core

CHOICE = """\
define internal void @step({arguments}) nounwind {{
  %whole = icmp eq i64 %rows, {batch}
  br i1 %whole, label %batch, label %rest
batch:
  call void @step.batch(ptr %arena, ptr %table, i64 %rows, i64 %thread, i64 %threads)
  ret void
rest:
  call void @step.rows(ptr %arena, ptr %table, i64 %rows, i64 %thread, i64 %threads)
  ret void
}}
"""

# a kernel that is not shared is called by the first thread alone
GATHER = """\
define internal void @"{name}"(
    ptr %data, ptr %order, ptr %batch, i64 %rows, i64 %thread, i64 %threads) nounwind {{
  %calls = icmp {condition} i64 %thread, 0
  br i1 %calls, label %take, label %done
take:
  call void @"{kernel}"({given}, i64 %rows, i64 %thread, i64 %threads)
  br label %done
done:
  ret void
}}
"""


class TrainingCode:
    """Where everything of a loop lies, and its module, which is printed when it is asked for.

    More may be added to the module afterwards.
    """

    def __init__(self, loop: TrainingLoop, processor: Processor, threads: int) -> None:
        self._loop = loop
        self._processor = processor
        self._place = placement(loop, processor.machine, threads)
        self.threads = threads

    @property
    def step(self) -> Program:
        """The step as it is printed."""
        return self._place.step

    @property
    def evaluate(self) -> Program:
        """The evaluation as it is printed."""
        return self._place.evaluate

    @property
    def memory(self) -> Memory:
        """The places of all buffers."""
        return self._place.memory

    @property
    def layout(self) -> TrainingLayout:
        """What the loop knows of the step."""
        return self._place.layout

    @property
    def table(self) -> Mapping[str, int]:
        """Places of the caller's arrays: states by key, data as "data/KEY", …."""
        return self._place.table

    @property
    def states(self) -> tuple[Buffer, ...]:
        """The slots."""
        return self.step.states

    @property
    def inputs(self) -> tuple[Buffer, ...]:
        """Those of the step."""
        return self.step.inputs

    @property
    def prologues(self) -> tuple[str, ...]:
        """Functions to be called once before the others."""
        step = "step" if self._place.small is None else "step.rows"
        return f"{step}.prologue", "evaluate.prologue"

    @cached_property
    def fingerprint(self) -> str:
        """Two loops with the same one have the same machine code."""
        small = self._place.small is not None
        return fingerprint(self._processor, self.memory, self.step, self.evaluate, self.layout,
                           small, self._loop.watch)  # fmt: skip

    @cached_property
    def printer(self) -> ProgramPrinter:
        """What has printed the module.

        Raises:
            GraphError: a view depends on the number of rows as native code cannot have it.
        """
        try:
            return self._printed()
        except UnboundError as error:
            raise GraphError(
                f"training in native code needs the number of rows when compiling: {error}",
                hint='compile with target="numpy", or keep the batch the first axis',
            ) from None

    @property
    def module(self) -> Module:
        """The printed module."""
        return self.printer.module

    @property
    def nests(self) -> Sequence[Nest]:
        """The kernels of the module, in order of first use."""
        return self.module.nests

    @property
    def uses(self) -> Mapping[str, Sequence[KernelUse]]:
        """What each function of the module computes."""
        return self.printer.uses

    @property
    def text(self) -> str:
        """The module as it is now."""
        return self.module.text()

    @property
    def failures(self) -> Failures:
        """What the codes mean that a run may leave."""
        return self.printer.failures

    def _printed(self) -> ProgramPrinter:
        module = Module(self._processor.machine)
        printer = ProgramPrinter(module, self.memory)
        module.add(environment(self._processor))
        module.add(barrier(self._processor))
        self._gathers(printer, self.step, self.layout.step)
        self._gathers(printer, self.evaluate, self.layout.evaluate)
        self._step(printer)
        printer.program("evaluate", self.evaluate)
        printer.exchange("state", self.states, self.table)
        module.add(exported("bind", ["state.set", *self.prologues]))
        module.add(exported("store", ["state.get"]))
        module.add(training_text(self.layout))
        return printer

    def _step(self, printer: ProgramPrinter) -> None:
        """`@step`; of a small program, whole batches are done by straight-line code."""
        small = self._place.small
        if small is None:
            printer.program("step", self.step, watch=self._loop.watch)
            return
        printer.program("step.rows", self.step)
        printer.unrolled("step.batch", small)
        text = CHOICE.format(arguments=ARGUMENTS, batch=self._loop.batch_size)
        printer.module.add(text)

    def _gathers(self, printer: ProgramPrinter, program: Program, visit: Visit) -> None:
        for buffer, batch in zip(batches(program), visit.inputs, strict=True):
            self._gather(printer, batch.gather, buffer, buffer.type.dtype)
            if batch.gather_bytes is not None:
                self._gather(printer, batch.gather_bytes, buffer, uint8)

    def _gather(self, printer: ProgramPrinter, name: str, buffer: Buffer, dtype: DType) -> None:
        """A function that fills a batch from rows of the data, of the given type."""
        data = Buffer("data", TensorType((1, *buffer.type.shape[1:]), dtype), "input")
        order = Buffer("order", TensorType(buffer.type.shape[:1], int64))
        views = (View(data, data.type), View(order, order.type))
        call = printer.kernel(Gather(buffer, views, 0, checked=False))
        names = {data: "%data", order: "%order", buffer: "%batch"}
        text = GATHER.format(
            name=name,
            kernel=call.function.name,
            condition="sge" if call.function.shared else "eq",
            given=", ".join(f"ptr {names[each]}" for each in call.buffers),
        )
        printer.module.add(text)


def training_code(
    loop: TrainingLoop, processor: Processor, threads: int = MAX_THREADS
) -> TrainingCode:
    """The loop's code for a processor, with memory for so many threads at most."""
    return TrainingCode(loop, processor, threads)


def worth_sharing(loop: TrainingLoop) -> bool:
    """Does a step take so long that it does not matter how long threads wait for each other?"""
    (name,) = loop.step.size_names
    return products(loop.step, Capacity({name: loop.batch_size})) > WORTH_SHARING


def products(program: Program, capacity: Capacity) -> int:
    """Multiplications in the contractions of one step."""
    count = 0
    for kernel in program.body:
        root = kernel.members[0] if isinstance(kernel, Group) else kernel
        if isinstance(root, Contraction):
            sizes = {
                letter: capacity.dim(dim)
                for letters, view in zip(root.letters[:2], root.reads[:2], strict=True)
                for letter, dim in zip(letters, view.type.shape, strict=True)
            }
            count += math.prod(sizes.values())
    return count
