"""Leaves: inputs, constants, state slots, and the value of a named size."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import TypeVar, cast

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op, Operand, Origin, Sample, apply, describe, originating
from chainc.ir.errors import DTypeError, GraphError
from chainc.ir.kernels import Kernels
from chainc.ir.python.foreign import is_masked
from chainc.ir.types import (
    BY_NAME,
    BY_NUMPY,
    DTYPES,
    UNKNOWN,
    Array,
    Dim,
    DType,
    Number,
    TensorType,
    bool_,
    float32,
    int64,
    named,
)

T = TypeVar("T")

NUMBERS = (int, float, np.integer, np.floating)
SCALAR: Mapping[np.dtype[np.generic], TensorType] = {d.numpy: TensorType((), d) for d in DTYPES}


class ConstantArray:
    """A constant's value: an immutable array, compared by dtype, shape and bytes."""

    __slots__ = ("_hash", "array")

    def __init__(self, array: Array) -> None:
        self.array = np.ascontiguousarray(array).reshape(array.shape)
        self.array.setflags(write=False)
        self._hash = hash((self.array.dtype.str, self.array.shape, self.array.tobytes()))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, ConstantArray) or self._hash != other._hash:
            return False
        a, b = self.array, other.array
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[object, ...]:
        """Another process has other hashes."""
        return ConstantArray, (self.array,)

    def __repr__(self) -> str:
        return f"Literal({self.array!r})"


class Leaf(Op):
    """An op without operands: nothing flows into it, so it has no local derivative."""

    def vjp(self, cotangent: Node, output: Node) -> Sequence[Node | None]:
        return ()


@dataclass(frozen=True)
class Constant(Leaf):
    """A value known when the graph is declared."""

    name = "constant"
    value: ConstantArray

    def infer(self) -> TensorType:
        array = self.value.array
        return TensorType(array.shape, BY_NUMPY[array.dtype]) if array.ndim else SCALAR[array.dtype]

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(ConstantArray(np.linspace(0, 1, 3, dtype=np.float32))), ())]

    @property
    def label(self) -> str:
        return f"{self.value.array.item():g}" if self.value.array.ndim == 0 else self.name


@dataclass(frozen=True)
class Input(Leaf):
    """A value given at each call; one with a default is a hyperparameter of the program."""

    name = "input"
    key: str
    type: TensorType
    default: float | int | None = None

    def infer(self) -> TensorType:
        return self.type

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls("x", TensorType((2, 3), float32)), ())]

    @property
    def label(self) -> str:
        return self.key


class Label:
    """The name of a state slot or a layer: its own part, below the part of what contains it.

    A container adopts its parts when it is built, so the whole path is known only then; a
    part that is adopted once keeps that place. A text that nobody has given gets a number where
    another name of the same graph is equal: see `number_equal_names`.
    """

    def __init__(self, text: str, parent: Label | None = None, *, given: bool = True) -> None:
        self.text = text
        self.parent = parent
        self.is_final = given

    def adopt(self, parent: Label, text: str | None = None) -> None:
        if self.parent is None:
            self.parent = parent
            self.text = text or self.text

    def root(self) -> Label:
        """The label of the outermost container."""
        return self if self.parent is None else self.parent.root()

    def __str__(self) -> str:
        return self.text if self.parent is None else f"{self.parent}/{self.text}"


def number_equal_names(slots: Sequence[Node]) -> None:
    """Number the outermost names of these slots that nobody has given and that are equal.

    They are numbered in the order of the slots: linear1, linear2. Names are final afterwards, so
    that every program finds the values of one slot under one name.
    """
    roots = dict.fromkeys(slot.op.key.root() for slot in slots if isinstance(slot.op, Slot))
    free = [root for root in roots if not root.is_final]
    counts = Counter(root.text for root in roots)
    taken = {root.text for root in roots}
    for root in free:
        if counts[root.text] > 1:
            others = (f"{root.text}{number}" for number in itertools.count(1))
            root.text = next(name for name in others if name not in taken)
            taken.add(root.text)
        root.is_final = True


# (the slot's type, seed, stream) -> a node of that type: the first value, as a graph. It is called
# when a program is compiled; a slot's name, which chooses its random stream, is not final before.
Initializer = Callable[[TensorType, Node, str], Node]


@dataclass(frozen=True, eq=False)
class Slot(Leaf):
    """A named slot whose value outlives a run: a parameter, an optimizer slot, a counter.

    `initial` builds the graph of the first value. Two slots are the same only if they are one
    object.
    """

    name = "state"
    key: Label
    type: TensorType
    initial: Initializer | None = field(default=None, repr=False)
    trainable: bool = False

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __deepcopy__(self, memo: dict[int, object]) -> Slot:
        """A slot of its own: a copied model has its own parameters."""
        return replace(self, key=copy.deepcopy(self.key, memo))

    def infer(self) -> TensorType:
        return self.type

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(Label("w"), TensorType((2, 3), float32)), ())]

    @property
    def label(self) -> str:
        return str(self.key)


@dataclass(frozen=True, eq=False)
class RunSlot(Slot):
    """A slot that belongs to a run, not to a model: there is one of its name a process."""

    def __deepcopy__(self, memo: dict[int, object]) -> RunSlot:
        return self


@dataclass(frozen=True, eq=False)
class EpochSlot(Slot):
    """A slot that outlives a step and not an epoch: behind each it has its first value again."""


@functools.cache
def step_counter() -> Node:
    """The number of steps done before this one, the int64 scalar state "step": one a process."""
    return _run_slot("step", _none_done)


@functools.cache
def run_seed() -> Node:
    """The seed of a run's random numbers, the int64 scalar state "seed": one a process."""
    return _run_slot("seed", _seed_given)


def _none_done(type: TensorType, _seed: Node, _stream: str) -> Node:
    return constant(0, type.dtype)


def _seed_given(_type: TensorType, seed: Node, _stream: str) -> Node:
    return seed


def _run_slot(name: str, initial: Initializer) -> Node:
    with originating(Origin()):  # it belongs to no line or box of the first program that asks
        return apply(RunSlot(Label(name), TensorType((), int64), initial))


def initial_graph(slots: Sequence[Node]) -> Graph:
    """The first values of state slots, in their order, as a graph over the int64 input "seed".

    The same seed and the same name give the same numbers, whatever other slots there are.

    Raises:
        GraphError: a slot has no initialiser, or one that gives another type.
    """
    seed = apply(Input("seed", TensorType((), int64)))
    values = tuple(first_value(slot, seed) for slot in slots)
    return Graph(values, names=tuple(slot.op.label for slot in slots))


def first_value(slot: Node, seed: Node) -> Node:
    """The first value of a state slot in a run of this seed.

    Raises:
        GraphError: the slot has no initialiser, or one that gives another type.
    """
    assert isinstance(slot.op, Slot)
    if slot.op.initial is None:
        raise GraphError(
            f"{describe(slot)} has no initialiser",
            hint="declare it with one, such as cr.init.zeros(), or give its value",
        )
    with originating(slot.origin):
        value = slot.op.initial(slot.type, seed, f"initial/{slot.op.key}")
    if value.type != slot.type:
        raise GraphError(
            f"the initialiser of {describe(slot)} gives {value.type}",
            hint=f"make it return a node of type {slot.type}",
        )
    return value


@dataclass(frozen=True)
class SizeOf(Leaf):
    """The number that a named size, or a product of them, stands for.

    A program whose size is below `least` is refused before it runs: see `too_small`.
    """

    name = "size"
    dim: Dim
    least: int = 1

    def infer(self) -> TensorType:
        return TensorType((), int64)

    def kernel(self, k: Kernels[T], result: TensorType) -> T:
        return k.size(result, self.dim)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls(3), ())]

    @property
    def label(self) -> str:
        return f"size({self.dim})"


def constant(value: Operand, dtype: DType | None = None) -> Node:
    """A constant node; Python numbers become `dtype`, by default float32, int64 or bool."""
    if isinstance(value, Node):
        return value
    if type(value) is float or type(value) is int:  # half of the leaves of most graphs
        below = value == 0 and math.copysign(1, value) < 0  # -0.0 equals 0.0
        return apply(_number(value, below, None if dtype is None else dtype.name))
    return apply(_constant(value, dtype))


@functools.lru_cache(maxsize=1024, typed=True)
def _number(value: float, _below: bool, dtype: str | None) -> Constant:
    return _constant(value, None if dtype is None else BY_NAME[dtype])


def _constant(value: Operand, dtype: DType | None) -> Constant:
    if is_masked(value):
        raise DTypeError(
            "constant: a masked array, whose mask would be lost",
            hint="fill the masked elements first, with .filled(...)",
        )
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # what a foreign `__array__` raises
        raise DTypeError(
            f"constant: a {type(value).__name__}, which NumPy cannot read: {error}",
            hint="give numbers of one shape and type; cr.constant takes tensors of other libraries",
        ) from error
    target = dtype or BY_NUMPY.get(array.dtype) or BY_NAME.get(array.dtype.name)
    if dtype is None and isinstance(value, float) and not isinstance(value, np.generic):
        target = float32
    if target is None:
        held = f"elements of type {array.dtype}" if isinstance(value, np.ndarray) else repr(value)
        raise DTypeError(
            f"constant: a tensor cannot hold {held}",
            hint="give numbers, such as those of array.astype(numpy.float32) or (numpy.int32)",
        )
    return Constant(ConstantArray(array.astype(target.numpy)))


def as_nodes(*operands: Operand) -> tuple[Node, ...]:
    """Operands as nodes; a Python number takes the element type of the nodes beside it."""
    for operand in operands:  # quicker than all(...)
        if type(operand) is not Node:
            break
    else:
        return cast(tuple[Node, ...], operands)
    types = [operand.type for operand in operands if isinstance(operand, Node)]
    if any(type is UNKNOWN for type in types):
        return tuple([_pattern_constant(operand) for operand in operands])
    like = next((type.dtype for type in types if type.dtype is not bool_), None)
    return tuple([_as_node(operand, like) for operand in operands])


def refuse_truth_value(name: str, operand: object) -> None:
    """Python's True and False are what `is` and `in` give: no node, and never meant."""
    if isinstance(operand, bool):
        raise GraphError(
            f"{name}: got Python's {operand}, no node: is and in ask whether two nodes are one",
            hint="compare element by element with a == b or a != b",
        )


def _pattern_constant(operand: Operand) -> Node:
    if isinstance(operand, Node):
        return operand
    return Node(Constant(ConstantArray(np.asarray(operand))), (), UNKNOWN)


def _as_node(operand: Operand, like: DType | None) -> Node:
    if isinstance(operand, Node):
        return operand
    if like is None or not isinstance(operand, NUMBERS) or isinstance(operand, bool):
        return constant(operand)
    if not _fits(operand, like):
        raise DTypeError(
            f"the number {operand} does not fit an operand of element type {like}",
            hint="convert the operand with cr.astype(x, cr.float32) first",
        )
    return constant(operand, like)


def _fits(number: Number, dtype: DType) -> bool:
    """Can a number be held: any by floating-point types, an integer within the range by others?"""
    if dtype.is_float:
        return True
    if isinstance(number, float | np.floating):
        return False
    limits = np.iinfo(dtype.name)
    return int(limits.min) <= int(number) <= int(limits.max)


def size(dim: Dim | str, least: int = 1) -> Node:
    """The value of a named size, such as `size("batch")`, as an int64 scalar."""
    wanted = named(dim) if isinstance(dim, str) else dim
    known = isinstance(wanted, int) and (wanted >= least or least == 1)
    return constant(wanted) if known and isinstance(wanted, int) else apply(SizeOf(wanted, least))
