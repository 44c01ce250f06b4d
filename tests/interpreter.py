"""Runs a nest in NumPy, statement by statement: the meaning of the loop language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainc.ir.types import Array
from chainc.loops.language import (
    Across,
    Address,
    Affine,
    Bound,
    Compute,
    Fail,
    Immediate,
    Immediates,
    Index,
    Lane,
    Load,
    Loop,
    Nest,
    Positions,
    Prefetch,
    Register,
    RowCount,
    Rows,
    RuntimeCall,
    Share,
    Shuffle,
    Splat,
    Statement,
    Store,
    Transpose,
    Variable,
)

Definition = (
    Load | Immediate | Immediates | Compute | Splat | Lane | Shuffle | Across | Positions | RowCount
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
}


def interpret(
    nest: Nest, arrays: Sequence[Array], rows: int = 1, thread: int = 0, threads: int = 1
) -> bool:
    """Changes the arrays as the nest does; says whether it failed."""
    interpreter = Interpreter(nest, arrays, rows, thread, threads)
    with np.errstate(all="ignore"):
        interpreter.body(nest.body)
    return interpreter.failed


class Interpreter:
    def __init__(
        self, nest: Nest, arrays: Sequence[Array], rows: int, thread: int, threads: int
    ) -> None:
        self.arrays = dict(zip(nest.parameters, arrays, strict=True))
        self.rows, self.thread, self.threads = rows, thread, threads
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
            case Store(value=register, address=address):
                array = self.arrays[address.parameter]
                array[self.lanes(address, register.kind.lanes)] = self.values[register]
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
                spread = np.broadcast_to(self.value(statement), out.kind.lanes)
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
            case Load() | Immediate() | Immediates() | Positions() | RowCount():
                return self.source(statement)

    def source(self, statement: Load | Immediate | Immediates | Positions | RowCount) -> Value:
        """What does not come from a register."""
        match statement:
            case Load(out=out, address=address):
                return self.arrays[address.parameter][self.lanes(address, out.kind.lanes)]
            case Immediate(value=number):
                return np.asarray(number)
            case Immediates(values=numbers):
                return np.asarray(numbers)
            case Positions(out=out, position=position):
                return self.position(position) + np.arange(out.kind.lanes)
            case RowCount(multiple=multiple):
                return np.asarray(self.rows * multiple)

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

    def bound(self, bound: Bound) -> int:
        match bound:
            case int():
                return bound
            case Index():
                return self.indices[bound]
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
        return self.position(address.position) + address.stride * np.arange(lanes)


def _across(fold: Callable[..., Value], value: Value) -> Value:
    """The halves with one another, then their halves, ...."""
    while len(value) > 1:
        low, high = np.split(value, 2)
        value = fold(low, high)
    return value
