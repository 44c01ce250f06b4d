"""Runs nests and routines in NumPy, statement by statement: the meaning of the loop language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter_ns, sleep
from typing import Any

import numpy as np
import numpy.typing as npt

from chainc.ir.types import Array
from chainc.loops.language import (
    Acquire,
    Across,
    Barrier,
    Branch,
    Call,
    Clock,
    Compute,
    Data,
    Entry,
    Fail,
    Immediate,
    Immediates,
    Lane,
    Leave,
    Load,
    Loop,
    Missing,
    Nest,
    Pause,
    Positions,
    Prefetch,
    Release,
    Repeat,
    Routine,
    RowCount,
    RuntimeCall,
    Share,
    Shuffle,
    Somewhere,
    Splat,
    Statement,
    Store,
    Table,
    Transpose,
    Within,
)
from chainc.loops.values import Address, Affine, Bound, Index, Parameter, Register, Rows, Variable

Definition = (
    Load
    | Acquire
    | Immediate
    | Immediates
    | Compute
    | Splat
    | Lane
    | Shuffle
    | Across
    | Somewhere
    | Positions
    | RowCount
    | Clock
    | Missing
)
Value = npt.NDArray[Any]  # a register: one number a lane

PRIMITIVES: Mapping[str, Callable[..., Value]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_not": np.logical_not,
    "negative": np.negative,
    "absolute": np.absolute,
    "floor": np.floor,
    "sqrt": np.sqrt,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "select": np.where,
    "fma": lambda a, b, c: a * b + c,
    "bit_and": np.bitwise_and,
    "bit_or": np.bitwise_or,
    "bit_xor": np.bitwise_xor,
    "shift_left": np.left_shift,
    "shift_right": lambda a, b: _unsigned(a) >> _unsigned(b),
    "leading_zeros": lambda a: np.array([64 - int(each).bit_length() for each in _unsigned(a)]),
    "unsigned_less": lambda a, b: _unsigned(a) < _unsigned(b),
}


def interpret(
    nest: Nest, arrays: Sequence[Array], rows: int = 1, thread: int = 0, threads: int = 1
) -> bool:
    """Changes the arrays as the nest does; says whether it failed."""
    interpreter = Interpreter(rows, thread, threads)
    interpreter.arrays.update(zip(nest.parameters, arrays, strict=True))
    with np.errstate(all="ignore"):
        interpreter.body(nest.body)
    return interpreter.failed


def interpret_routine(
    routine: Routine,
    arguments: Sequence[Array | Pointers | int | None],
    wait: Callable[[], object] = lambda: None,
    clock: Callable[[], int] = perf_counter_ns,
) -> int | None:
    """Changes the arrays as the routine does, and gives what it returns.

    `wait` is called where threads wait for each other, `clock` where the clock is read.
    """
    interpreter = Interpreter(wait=wait, clock=clock)
    for parameter, given in zip(routine.parameters, arguments, strict=True):
        if isinstance(parameter, Register):
            interpreter.values[parameter] = np.array([given], np.int64)
        elif isinstance(given, Pointers):
            interpreter.tables[parameter] = given
        elif given is not None:
            interpreter.arrays[parameter] = np.asarray(given)
    with np.errstate(all="ignore"):
        try:
            interpreter.body(routine.body)
        except LeftError as left:
            return left.value
    if routine.result is None:
        return None
    return int(interpreter.values[routine.result][0])


class LeftError(Exception):
    """The routine has ended before the end of its body."""

    def __init__(self, value: int) -> None:
        self.value = value


class Pointers(tuple[Array, ...]):
    """Arrays that a table of pointers points to."""


class Interpreter:
    def __init__(
        self,
        rows: int = 1,
        thread: int = 0,
        threads: int = 1,
        wait: Callable[[], object] = lambda: None,
        clock: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self.arrays: dict[Parameter, Array] = {}
        self.tables: dict[Parameter, Pointers] = {}
        self.rows, self.thread, self.threads = rows, thread, threads
        self.wait, self.clock = wait, clock
        self.values: dict[Register, Value] = {}
        self.indices: dict[Index, int] = {}
        self.failed = False

    def body(self, body: Sequence[Statement]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, statement: Statement) -> None:
        match statement:
            case Loop():
                self.loop(statement)
            case Share():
                self.share(statement)
            case Branch() | Repeat() | Leave() | Barrier() | Pause() | Call():
                self.of_routine(statement)
            case Within() | Entry() | Table() | Data():
                self.find(statement)
            case Store(value=register, address=address) | Release(value=register, address=address):
                array = self.arrays[address.parameter]
                places = self.lanes(address, register.kind.lanes)
                array[places] = self.values[register][: len(places)]
            case Transpose():
                turned = np.stack([self.values[value] for value in statement.values]).T
                self.values.update(zip(statement.outs, turned, strict=True))
            case Prefetch():
                pass
            case Fail(condition=condition):
                self.failed |= bool(self.values[condition].any())
            case RuntimeCall():
                raise TypeError("a function of the runtime has a text of its own")
            case _:
                out = statement.out
                found, shape = self.value(statement), (out.kind.lanes,)
                spread = found if found.shape == shape else np.broadcast_to(found, shape)
                self.values[out] = spread.astype(out.kind.dtype.numpy)

    def value(self, statement: Definition) -> Value:
        match statement:
            case Compute(primitive="cast", operands=(operand,)):
                return self.values[operand]
            case Compute(primitive=primitive, operands=operands):
                return PRIMITIVES[primitive](*(self.values[operand] for operand in operands))
            case Splat(value=scalar):
                return self.values[scalar]
            case Lane(value=vector, lane=lane):
                return self.values[vector][lane : lane + 1]
            case Shuffle(values=values, picked=picked):
                return np.concatenate([self.values[each] for each in values])[list(picked)]
            case Across(primitive=primitive, value=vector):
                return _across(PRIMITIVES[primitive], self.values[vector])
            case Somewhere(value=vector):
                return np.asarray(self.values[vector].any())
            case Load() | Acquire() | Missing() | Clock():
                return self.found(statement)
            case Immediate() | Immediates() | Positions() | RowCount():
                return self.source(statement)

    def found(self, statement: Load | Acquire | Missing | Clock) -> Value:
        """What is outside of the program."""
        match statement:
            case Clock():
                return np.asarray(self.clock())
            case Load(out=out, address=address) | Acquire(out=out, address=address):
                found = self.arrays[address.parameter][self.lanes(address, out.kind.lanes)]
                absent = out.kind.lanes - len(found)
                return np.pad(found, (0, absent)) if absent else found  # which takes its time
            case Missing(buffer=buffer, alignment=alignment):
                array = self.arrays.get(buffer)
                return np.asarray(array is None or array.ctypes.data % alignment != 0)

    def source(self, statement: Immediate | Immediates | Positions | RowCount) -> Value:
        """What the program itself says."""
        match statement:
            case Immediate(value=number):
                return np.asarray(number)
            case Immediates(values=numbers):
                return np.asarray(numbers)
            case Positions(out=out, position=position):
                return self.position(position) + np.arange(out.kind.lanes)
            case RowCount(multiple=multiple, power=power):
                return np.asarray(self.rows**power * multiple)

    def loop(self, loop: Loop) -> None:
        stop = self.bound(loop.stop)
        index = self.bound(loop.start)
        for carried in loop.carried:
            self.values[carried.result] = self.values[carried.initial]
        while index + loop.step <= stop:
            self.indices[loop.index] = index
            self.values |= {c.current: self.values[c.result] for c in loop.carried}
            self.body(loop.body)
            self.values |= {c.result: self.values[c.following] for c in loop.carried}
            index += loop.step
        self.indices[loop.index] = index

    def share(self, share: Share) -> None:
        """Whole grains, as even as they can be."""
        stop = self.bound(share.stop)
        grains = -(-stop // share.grain)
        first, last = (grains * n // self.threads for n in (self.thread, self.thread + 1))
        self.indices[share.low] = first * share.grain
        self.indices[share.high] = min(last * share.grain, stop)

    # routines

    def of_routine(self, statement: Branch | Repeat | Leave | Barrier | Pause | Call) -> None:
        match statement:
            case Branch():
                self.branch(statement)
            case Repeat():
                self.repeat(statement)
            case Leave(condition=condition, value=value):
                if self.values[condition][0]:
                    raise LeftError(int(self.values[value][0]))
            case Pause():
                sleep(1e-5)  # another may have Python's lock
            case Barrier(threads=threads):
                if self.argument(threads) != 1:
                    self.wait()
            case Call():
                self.call(statement)

    def find(self, statement: Within | Entry | Table | Data) -> None:
        """Where a buffer is."""
        match statement:
            case Within(out=out, base=base, offset=offset):
                self.arrays[out] = _viewed(self.arrays[base], out, self.position(offset))
            case Entry(out=out, table=table, position=position):
                self.arrays[out] = _viewed(self.tables[table][self.position(position)], out)
            case Table(out=out, size=size, entries=entries):
                found = dict(entries)
                nothing = np.empty(0, np.uint8)
                given = (self.arrays[found[i]] if i in found else nothing for i in range(size))
                self.tables[out] = Pointers(given)
            case Data(out=out, content=content):
                self.arrays[out] = np.frombuffer(content, out.dtype.numpy)

    def branch(self, branch: Branch) -> None:
        true = bool(self.values[branch.condition][0])
        self.body(branch.then if true else branch.otherwise)
        for merged in branch.merged:
            self.values[merged.result] = self.values[merged.then if true else merged.otherwise]

    def repeat(self, repeat: Repeat) -> None:
        self.values |= {c.current: self.values[c.initial] for c in repeat.carried}
        self.body(repeat.body)
        while self.values[repeat.again][0]:
            following = {c.current: self.values[c.following] for c in repeat.carried}
            self.values |= following
            self.body(repeat.body)
        self.values |= {c.result: self.values[c.following] for c in repeat.carried}

    def call(self, call: Call) -> None:
        if isinstance(call.function, Nest):
            self.call_nest(call.function, call.arguments)
            return
        given = [self.argument(each) for each in call.arguments]
        result = interpret_routine(call.function, given, self.wait, self.clock)
        if call.out is not None:
            self.values[call.out] = np.array([result]).astype(call.out.kind.dtype.numpy)

    def call_nest(self, nest: Nest, arguments: Sequence[Parameter | Register]) -> None:
        count = len(nest.parameters)
        pairs = zip(nest.parameters, arguments, strict=False)
        arrays = [_viewed(self.arrays[b], a) for a, b in pairs if isinstance(b, Parameter)]
        rows, thread, threads, *failing = map(self.argument, arguments[count:])
        if interpret(nest, arrays, _whole(rows), _whole(thread), _whole(threads)):
            place, code = failing
            assert isinstance(place, np.ndarray)
            place[0] = place[0] or _whole(code)

    def argument(self, argument: Parameter | Register) -> Array | Pointers | int | None:
        if isinstance(argument, Register):
            return int(self.values[argument][0])
        if argument in self.tables:
            return self.tables[argument]
        return self.arrays.get(argument)

    def bound(self, bound: Bound) -> int:
        match bound:
            case int():
                return bound
            case Index() | Register():
                return self.number(bound)
            case Rows(multiple=multiple, rounded=rounded):
                return -(-self.rows * multiple // rounded) * rounded

    def position(self, position: Affine) -> int:
        terms = (self.number(variable) * factor for variable, factor in position.terms)
        return position.constant + sum(terms)

    def number(self, variable: Variable) -> int:
        if isinstance(variable, Index):
            return self.indices[variable]
        return int(self.values[variable][0])

    def lanes(self, address: Address, lanes: int) -> npt.NDArray[np.int64]:
        lanes = min(address.first or lanes, lanes)
        return self.position(address.position) + address.stride * np.arange(lanes)


def _unsigned(value: Value) -> Value:
    return value.view(f"u{value.dtype.itemsize}")


def _viewed(array: Array, parameter: Parameter, offset: int = 0) -> Array:
    """What lies so many bytes behind the start of an array, as elements of a parameter."""
    found = array.reshape(-1).view(np.uint8)[offset:]
    size = parameter.dtype.itemsize
    return found[: len(found) // size * size].view(parameter.dtype.numpy)


def _whole(given: Array | Pointers | int | None) -> int:
    assert isinstance(given, int)
    return given


def _across(fold: Callable[..., Value], value: Value) -> Value:
    """The halves with one another, then their halves, ...."""
    while len(value) > 1:
        low, high = np.split(value, 2)
        value = fold(low, high)
    return value
