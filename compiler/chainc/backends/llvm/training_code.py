"""A training loop as one module: the step, the evaluation, and the loop around them.

@bind    copies the state in and computes what stays the same
@train   all epochs; @validate the evaluation alone
@store   copies the state out

What writes and prints it is imported when it is needed: not where kept code is run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from chainc.backends.llvm.arena import arrays_outside, constants_outside
from chainc.backends.llvm.machine_code.fingerprint import fingerprint
from chainc.backends.llvm.places import LoopPlaces
from chainc.backends.llvm.processors.processor import Processor
from chainc.ir.errors import GraphError
from chainc.ir.types import Array
from chainc.lowering.program import Loop, Program, TrainingLoop
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity, UnboundError
from chainc.schedules.program.control_block import MAX_THREADS
from chainc.schedules.program.memory import Memory
from chainc.schedules.training.layout import JOB, TrainingLayout
from chainc.schedules.training.placement import placement

if TYPE_CHECKING:
    from chainc.backends.c.file import CFile
    from chainc.backends.llvm.printing.module import KernelUse, Module
    from chainc.loops.language import Nest, Routine
    from chainc.schedules.program.failures import Failures
    from chainc.schedules.training.routines import WrittenTraining

WORTH_SHARING = 2_000_000  # multiplications a step: some 20 µs on one core
WORTH_A_STEP = 500_000  # in each step of a loop, in which threads wait for each other again


class TrainingCode:
    """Where everything of a loop lies, and its module, which is printed when it is asked for.

    More may be added to the module afterwards.
    """

    def __init__(
        self,
        loop: TrainingLoop,
        processor: Processor,
        threads: int,
        reserved: Collection[str],
        most_in_code: int | None = None,
        *,
        timed: bool = False,
    ) -> None:
        self._loop = loop
        self._reserved = reserved
        self._processor = processor
        self._timed = timed
        self._place = placement(loop, processor.machine, threads, most_in_code, timed=timed)
        self.threads = threads
        self._written: WrittenTraining | None = None

    @property
    def step(self) -> Program:
        """The step as it is printed."""
        return self._place.step

    @property
    def evaluate(self) -> Program:
        """The evaluation as it is printed."""
        return self._place.evaluate

    @property
    def programs(self) -> Mapping[str, Program]:
        """All as they are printed, by name; see `Placement`."""
        return self._place.programs

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
        return self._place.states

    @property
    def inputs(self) -> tuple[Buffer, ...]:
        """Those of the step."""
        return self.step.inputs

    @property
    def prologues(self) -> Sequence[str]:
        """Functions to be called once before the others."""
        return [routine.name for routine in self.written.prologues]

    @cached_property
    def places(self) -> LoopPlaces:
        """What a run must know."""
        memory = self.memory
        scalars = {key: at for (role, key), at in memory.shared.items() if role == "scalar"}
        return LoopPlaces(
            memory.arena_bytes,
            self.layout,
            self.table,
            self._loop.batch_inputs,
            scalars,
            constants_outside(memory),
        )

    @cached_property
    def outside(self) -> tuple[Array, ...]:
        """The constants that are handed over as arrays."""
        return arrays_outside(self.memory)

    @cached_property
    def fingerprint(self) -> str:
        """Two loops with the same one have the same machine code."""
        small = self._place.small is not None
        return fingerprint(self._processor, self.memory, *self._place.programs.values(),
                           self.layout, small, self._loop.watch)  # fmt: skip

    @property
    def written(self) -> WrittenTraining:
        """The routines.

        Raises:
            GraphError: a view depends on the number of rows as native code cannot have it.
        """
        if self._written is None:
            self._written = self._write(None)
        return self._written

    def _write(self, ready: Callable[[Nest], object] | None) -> WrittenTraining:
        """What is `ready` is told of each kernel of the step as soon as it is written."""
        from chainc.backends.llvm.runtime.threads import clocked
        from chainc.schedules.training.routines import write_training

        try:
            paced, machine = clocked(self._processor), self._processor.machine
            return write_training(self._loop, self._place, machine, paced=paced, ready=ready)
        except UnboundError as error:
            raise GraphError(
                f"training in native code needs the number of rows when compiling: {error}",
                hint='compile with target="numpy", or keep the batch the first axis',
            ) from None

    @cached_property
    def module(self) -> Module:
        """All of them printed."""
        return self._with_entries(self._empty(), self.written.routines)

    @cached_property
    def c(self) -> CFile:
        """All of it in C."""
        from chainc.backends.c.entries import about
        from chainc.backends.c.file import CALL, RUN, CFile, Entry

        written = self.written
        from_table, to_table = written.exchange
        entries = [
            Entry("bind", CALL, (from_table, *written.prologues)),
            Entry("train", RUN, (written.loop.train,)),
            Entry("validate", RUN, (written.loop.record,)),
            Entry("store", CALL, (to_table,)),
        ]
        arrays = [*sorted(self.table, key=self.table.__getitem__)]
        arrays += ["a constant"] * len(self.memory.outside)
        return CFile(entries, about(self.memory.arena_bytes, arrays, JOB))

    @property
    def train_module(self) -> Module:
        """What trains; `evaluation_module` has what it calls to evaluate."""
        module = self._empty()
        self._print_to_train(module)
        return module

    def _print_to_train(self, module: Module) -> None:
        module.elsewhere = [self.written.loop.evaluate_all]
        self._with_entries(module, self.written.to_train)

    def hand_over(self, size: int, take: Callable[[str], None]) -> None:
        """What trains, in parts that are there while others have still to be written."""
        from chainc.backends.llvm.printing.module import Parting

        module = self._empty()

        def write() -> None:
            if self._written is None:
                self._written = self._write(module.kernel)
            self._print_to_train(module)

        module.handing_over(Parting(size, take), write)

    @property
    def evaluation_module(self) -> Module:
        """What evaluates."""
        module = self._empty()
        module.routine(self.written.loop.evaluate_all, exported=True)
        return module

    def _empty(self) -> Module:
        from chainc.backends.llvm.printing.module import MOST_COPIES, Module
        from chainc.backends.llvm.runtime.entry import environment
        from chainc.backends.llvm.runtime.threads import pauses
        from chainc.schedules.training.waiting import ALONE, BARRIER

        copies = MOST_COPIES if self._processor.board is None else 0
        waits = ALONE if self._processor.threads == 1 else BARRIER
        module = Module(self._processor.machine, copies, barrier=waits)
        module.names.update(self._reserved)
        module.add(environment(self._processor))
        module.add(pauses(self._processor))
        return module

    def _with_entries(self, module: Module, routines: Sequence[Routine]) -> Module:
        from chainc.backends.llvm.printing.routine import CLOCK_DECLARED
        from chainc.backends.llvm.runtime.entry import CLOCK, TRAINING_ENTRIES, exported

        for routine in routines:
            module.routine(routine)
        module.add(exported("bind", ["state.set", *self.prologues]))
        module.add(exported("store", ["state.get"]))
        module.add(TRAINING_ENTRIES)
        if self._timed:
            module.add(CLOCK, [CLOCK_DECLARED])
        return module

    @property
    def nests(self) -> Sequence[Nest]:
        """The kernels of the module, in order of first use."""
        return self.module.nests

    @property
    def routines(self) -> Sequence[Routine]:
        """What calls them."""
        return self.module.routines

    @property
    def called(self) -> Mapping[Nest, str]:
        """What their functions are called."""
        return self.module.called

    @property
    def uses(self) -> Mapping[str, Sequence[KernelUse]]:
        """What each function of the module computes."""
        return self.module.uses(self.written.writer.computed)

    @property
    def text(self) -> str:
        """The module as it is now."""
        return self.module.text()

    @property
    def failures(self) -> Failures:
        """What the codes mean that a run may leave."""
        return self.written.writer.failures


def training_code(
    loop: TrainingLoop,
    processor: Processor,
    threads: int = MAX_THREADS,
    reserved: Collection[str] = (),
    most_in_code: int | None = None,
    *,
    timed: bool = False,
) -> TrainingCode:
    """The loop's code for a processor, with memory for so many threads at most.

    No kernel takes a reserved name: that of what is added to the module afterwards. If it is
    timed, it reads a clock around every kernel of the step, for one thread. For `most_in_code`
    see `Memory`.
    """
    return TrainingCode(loop, processor, threads, reserved, most_in_code, timed=timed)


def worth_sharing(loop: TrainingLoop) -> bool:
    """Does a step take so long that it does not matter how long threads wait for each other?"""
    capacity = Capacity(dict.fromkeys(loop.step.size_names, loop.batch_size))
    return products(loop.step, capacity) > WORTH_SHARING


def products(program: Program, capacity: Capacity) -> int:
    """Multiplications in the contractions of one step; of loops, in those with long steps."""
    found = 0
    for kernel in program.body:
        if isinstance(kernel, Loop):
            within = products(kernel.program, capacity)
            found += capacity.dim(kernel.length) * within if within > WORTH_A_STEP else 0
        else:
            found += capacity.dim(kernel.multiplications)
    return found
