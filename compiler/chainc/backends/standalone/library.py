"""One module with a training loop, the first values of its slots, a prediction, and the C API.

The kernels are printed as for a run in this process, so for the same processor their bits are the
same. The module is another one: the names that C sees are the caller's choice, the code is for
other processors unless asked otherwise, and what only this file needs would make every
compilation for this process longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from chainc.backends.llvm.host.storage import storage_of_training
from chainc.backends.llvm.machine_code.jit import compile_object
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.training_code import training_code
from chainc.backends.standalone.board import (
    check_code,
    check_memory,
    check_numbers,
    static_memory,
)
from chainc.backends.standalone.entry_points import Prepared
from chainc.backends.standalone.interface import (
    FUNCTIONS,
    Interface,
    Prediction,
    RowArray,
    Tensor,
    bound_of,
    mark_of,
    version_of,
    words,
)
from chainc.backends.standalone.objects.choosing import Signature, hidden, signatures
from chainc.backends.standalone.outside import Outside, llvm_text, version_text
from chainc.backends.standalone.run_entries import Running, RunRoutines
from chainc.dataclass import dataclass
from chainc.ir.errors import GraphError
from chainc.ir.types import Size, TensorType, int64
from chainc.loops.language import Routine
from chainc.lowering.loops import with_outputs
from chainc.lowering.program import IndexBound, Program, TrainingLoop
from chainc.lowering.rows import rows_are_independent
from chainc.lowering.views import Buffer
from chainc.schedules.layout.access import Capacity, UnboundError
from chainc.schedules.program.preparation import prepare, with_roles
from chainc.schedules.training.layout import JOB_WORDS
from chainc.schedules.training.single import Places, SingleRoutines

SEED, MARK, PLAN = 0, 8, 64  # offsets in bytes of our own; `JOB_WORDS` are the plan
OWN_BYTES = -(-(PLAN + 8 * JOB_WORDS) // 64) * 64

RESULTS = "results"  # what a prediction writes
PREDICTED = 256  # rows at once, where steps read none
# and those that C sees
RESERVED = ("first", "initial", "plan", "predict", "version")


@dataclass(frozen=True)
class Wanted:
    """What is to be exported.

    `initial` has updates alone: the first value of every slot, from the input "seed". `rows` are
    the arrays of a data set by their inputs, whether the step reads them or not; where there are
    none, steps draw what they learn from, and an epoch is a step.
    """

    name: str
    loop: TrainingLoop
    initial: Program
    predict: Program | None
    defaults: Mapping[str, float | int]  # of hyperparameters
    epochs: int
    seed: int
    rows: Mapping[str, TensorType]
    hidden: bool = False  # from all but what it is linked with


@dataclass(frozen=True)
class Standalone:
    """An object file, and what C must know of it; `signatures` are those of its functions."""

    object_file: bytes
    interface: Interface
    version: str
    signatures: Mapping[str, Signature]


def standalone(wanted: Wanted, processor: Processor) -> Standalone:
    """Compiles everything that is wanted.

    Raises:
        GraphError: the loop or the prediction cannot be native code, or not without Python.
    """
    return _compiled(planned(wanted, processor))


def planned(wanted: Wanted, processor: Processor) -> Planned:
    """What is to be compiled, or printed.

    Raises:
        GraphError: the loop or the prediction cannot be native code, or not without Python.
    """
    try:
        return Planned(wanted, processor)
    except UnboundError as error:
        raise GraphError(
            f"export needs the number of rows when compiling: {error}",
            hint="keep the batch the first axis of what is predicted",
        ) from None


def _compiled(plan: Planned) -> Standalone:
    interface, processor, module = plan.interface, plan.processor, plan.code.module
    for routine in plan.routines:
        module.routine(routine)
    check_memory(storage_of_training(plan.code), processor)
    module.add(static_memory(interface.name, interface.arena_bytes, processor))
    version = plan.version(plan.code.text)
    module.add(version_text(interface.name, version))
    for function in plan.outside(version):
        module.routine(function.routine)
        module.add(llvm_text(function))
    entries = [f"{interface.name}_{function}" for function in interface.functions]
    text, name = plan.code.text, interface.name
    shown = hidden(text, name) if plan.wanted.hidden else text
    object_file = compile_object(shown, processor, entries)
    check_code(object_file, processor)
    return Standalone(object_file, interface, version, signatures(text, name))


class Planned:
    """Where everything of a program lies, and the routines that it has beside those of the loop.

    Attributes:
        batch: rows of a step, or of a prediction where steps read none.
        own: offset in the arena of what the functions for C keep there.
        history: that of the sums of an evaluation.
        seed_at: that of the seed.
        prepare: to be called once, when the arena is prepared.
        exchange: of each tensor, from the table's only array into the arena, and back.
        predict: of a prediction.
        first, job, step, means: see `chainc.schedules.training.single`.
    """

    def __init__(self, wanted: Wanted, processor: Processor) -> None:
        self.wanted = wanted
        self.processor = processor
        entries = [f"{wanted.name}_{function}" for function in FUNCTIONS]
        self.code = training_code(wanted.loop, processor, processor.threads, (*RESERVED, *entries))
        self.memory = self.code.memory
        self.batch = self._batch()
        self.writer = self.code.written.writer
        self.own = self.memory.take(OWN_BYTES)
        self.history = self.memory.take(8 * self.code.layout.columns)
        self.seed = Buffer("seed", TensorType((), int64), "state", "seed")
        # where the step reads the seed, that place is the only one
        self.seed_at = self.memory.shared.get(("state", self.seed.key), self.own + SEED)
        self.memory.offsets[self.seed] = self.seed_at
        self.prepare = [*self.code.written.prologues]
        predicted = () if wanted.predict is None else (wanted.predict,)
        steps = (wanted.loop.step, wanted.loop.evaluate, wanted.initial, *predicted)
        end = wanted.loop.epoch_end
        of_epochs = [] if end is None else [each.key for each in end.program.states]
        of_steps = {each.key for step in steps[:2] for each in step.states}
        check_numbers(steps, processor, {*of_epochs} - of_steps)
        self.routines: list[Routine] = []
        self.prepare.append(self._initial(wanted.initial))
        self.predict: Routine | None = None
        prediction = None if wanted.predict is None else self._predict(wanted.predict)
        self.interface = self._interface(prediction)
        exchange = self.writer.exchange
        self.exchange = [
            exchange(f"tensor.{i}", [tensor.buffer], {tensor.key: 0})
            for i, tensor in enumerate(self.interface.tensors)
        ]
        for pair in self.exchange:
            self._added(pair)
        self.places = self._places()
        single = SingleRoutines(self.code.written.loop, self.places)
        self.first, self.job = single.first(self.prepare, self.batch), single.plan()
        self.step, self.means = single.step(), single.means()
        self._added((self.first, self.job, self.step, self.means))

    def _batch(self) -> int:
        """With steps that read no rows, only a prediction has a size without a number."""
        wanted = self.wanted
        if wanted.rows:
            return wanted.loop.batch_size
        if wanted.predict is not None:
            self.memory.capacity = Capacity(dict.fromkeys(wanted.predict.size_names, PREDICTED))
        return PREDICTED

    def outside(self, version: str) -> Sequence[Outside]:
        """The functions that C sees of this version, but for the one that tells it."""
        places, mark = self.places, mark_of(version)
        prepared = Prepared(self.interface, places.mark, mark, self.first, self.exchange)
        train = self.code.written.loop.train
        routines = RunRoutines(train, self.job, self.step, self.means, self.predict)
        running = Running(prepared, routines, places, self.code.table, self.history)
        return [*prepared.functions(), *running.functions()]

    def version(self, text: str) -> str:
        """The same only where a header and a program fit each other."""
        shown = replace(self.interface, end=None)
        return version_of(text, repr(self.processor), repr(shown))

    def _places(self) -> Places:
        """Of what the functions for C keep, and of the caller's arrays."""
        table, interface = self.code.table, self.interface
        arrays = {
            kind: [table[f"{kind}/{each.key}"] for each in interface.inputs]
            for kind in ("data", "validation")
        }
        return Places(
            plan=self.own + PLAN,
            seed=self.seed_at,
            mark=self.own + MARK,
            step=next(each.offset for each in interface.tensors if each.key == "step"),
            data=arrays["data"],
            validation=arrays["validation"],
            defaults=[
                (each.offset, each.stored_dtype, each.default)
                for each in interface.tensors
                if each.default is not None
            ],
        )

    def _added(self, routines: Sequence[Routine]) -> Sequence[Routine]:
        self.routines += routines
        return routines

    def _initial(self, program: Program) -> Routine:
        """Puts the first value of every slot into its place."""
        once = replace(program, prologue=(), body=(*program.prologue, *program.body))
        placed = self._placed(once)
        for buffer in placed.inputs:
            self.memory.offsets[buffer] = self.seed_at
        return self._written("initial", placed)

    def _predict(self, program: Program) -> Prediction:
        """From arrays of the caller's to one of the caller's."""
        roles = {b.key: "scalar" for b in program.inputs if not _has_rows(b)}
        direct, (result,) = with_outputs(with_roles(program, roles))
        placed = self._placed(direct)
        given = [buffer for buffer in placed.inputs if buffer.role == "input"]
        self.memory.keep(buffer for buffer in placed.inputs if buffer.role == "scalar")
        self.memory.table |= {buffer: place for place, buffer in enumerate((*given, result))}
        self.predict = self._written("predict", placed)
        named = self._words(given)
        return Prediction(
            tuple(_rows(b.key, b.type, named[b.key], program.index_bounds) for b in given),
            _rows(result.key, result.type, named[RESULTS], ()),
            rows_are_independent(program),
        )

    def _placed(self, program: Program) -> Program:
        """The form that is printed; slots lie as in training."""
        slots = {s.key: s.panels for s in (*self.wanted.initial.states, *self.code.states)}
        return prepare(program, self.processor.machine, self.memory.capacity, slots)

    def _written(self, name: str, program: Program) -> Routine:
        self.memory.keep(program.states)
        self.memory.keep_results(program.prologue)
        self.memory.work([program])
        prologue, routine = self._added(self.writer.program(name, program))
        self.prepare.append(prologue)
        return routine

    def _interface(self, prediction: Prediction | None) -> Interface:
        loop = self.wanted.loop
        bounds = (*loop.step.index_bounds, *loop.evaluate.index_bounds)
        named = self._words(())
        inputs = (_rows(key, kind, named[key], bounds) for key, kind in self.wanted.rows.items())
        return Interface(
            name=self.wanted.name,
            tensors=tuple(self._tensors()),
            inputs=tuple(replace(each, may_be_bytes=each.dtype.is_float) for each in inputs),
            outputs=loop.reported,
            prediction=prediction,
            batch_size=self.batch,
            least_rows=loop.least_rows,
            shuffle=loop.shuffle,
            epochs=self.wanted.epochs,
            seed=self.wanted.seed,
            arena_bytes=self.memory.arena_bytes,
            threads=self.processor.threads,
            pointer_bytes=self.processor.pointer_bytes,
            has_memory=self.processor.board is not None,
            end=loop.epoch_end,
        )

    def _words(self, more: Sequence[Buffer]) -> Mapping[str, str]:
        """What arrays with rows are called in C, by key; a prediction's come after the others."""
        keys = [*self.wanted.rows, *(buffer.key for buffer in more), RESULTS]
        once = list(dict.fromkeys(keys))
        return dict(zip(once, words(once), strict=True))

    def _tensors(self) -> Iterator[Tensor]:
        """Slots, the seed, then inputs without rows."""
        kept = (*self._kept("state"), self.seed, *self._kept("scalar"))
        for buffer, word in zip(kept, words(buffer.key for buffer in kept), strict=True):
            default = self.wanted.defaults.get(buffer.key) if buffer.role == "scalar" else None
            offset, stored = self.memory.offsets[buffer], self.memory.nbytes(buffer)
            yield Tensor(buffer.key, word.upper(), buffer, offset, stored, default)

    def _kept(self, role: str) -> Sequence[Buffer]:
        """One buffer for each key that has a place in the arena."""
        found: dict[str, Buffer] = {}
        for buffer in self.memory.offsets:
            if buffer.role == role and (role, buffer.key) != ("state", self.seed.key):
                found.setdefault(buffer.key, buffer)
        return list(found.values())


def _has_rows(buffer: Buffer) -> bool:
    return bool(buffer.type.shape) and isinstance(buffer.type.shape[0], Size)


def _rows(key: str, kind: TensorType, word: str, bounds: Sequence[IndexBound]) -> RowArray:
    return RowArray(key, word, kind, bound_of(key, kind.dtype, bounds))
