"""Patterns: a graph with holes in it, and how a node matches one.

-(-x)                                   x is any node
x ** 2                                  a number matches a constant that equals it everywhere
apply(PermuteDims(axes), x)             axes is any value of that attribute
apply(f, *operands)                     f is any op of a class, operands are all it has
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import get_type_hints

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node, Op
from chainc.ir.leaves import Constant
from chainc.ir.types import UNKNOWN, Array, TensorType

Operands = tuple[Node, ...]
Found = dict[str, object]  # what each hole of a pattern stands for
Same = Callable[[Node, Node], bool]


@dataclass(frozen=True)
class NodeHole(Op):
    """Stands for any node."""

    key: str


@dataclass(frozen=True)
class OperandsHole(Op):
    """Stands for all operands of a node."""

    key: str


@dataclass(frozen=True)
class OpHole(Op):
    """Stands for any op of a class."""

    key: str
    family: type[Op]

    def infer(self, *operands: TensorType) -> TensorType:
        return UNKNOWN


@dataclass(frozen=True)
class AttributeHole:
    """Stands for any value of an op's attribute."""

    key: str


def holes(function: Callable[..., object]) -> Mapping[str, object]:
    """One hole per parameter; its annotation says what it may stand for."""
    hints = _annotations(function)
    return {key: _hole(key, hint) for key, hint in hints.items() if key != "return"}


def _annotations(function: Callable[..., object]) -> Mapping[str, object]:
    """Most are names of the function's module, which are looked up quicker than evaluated."""
    names = getattr(function, "__globals__", {})
    found = {key: names.get(text) for key, text in function.__annotations__.items()}
    return get_type_hints(function) if None in found.values() else found


def _hole(key: str, hint: object) -> object:
    if hint is Node:
        return Node(NodeHole(key), (), UNKNOWN)
    if hint == Operands:
        return (Node(OperandsHole(key), (), UNKNOWN),)
    if isinstance(hint, type) and issubclass(hint, Op):
        return OpHole(key, hint)
    return AttributeHole(key)


def orders(pattern: Node) -> Iterator[Node]:
    """The pattern with the operands of every commutative op in both orders."""
    for inputs in itertools.product(*(tuple(orders(operand)) for operand in pattern.inputs)):
        yield Node(pattern.op, inputs, UNKNOWN, pattern.origin)
        if pattern.op.commutative and pattern.inputs[0] is not pattern.inputs[1]:
            yield Node(pattern.op, inputs[::-1], UNKNOWN, pattern.origin)


def admits(pattern: Node, op: type[Op]) -> bool:
    """A first, quick look: may a node of this op match the pattern's root?"""
    if isinstance(pattern.op, NodeHole | OperandsHole):
        return True
    if isinstance(pattern.op, OpHole):
        return issubclass(op, pattern.op.family)
    return op is type(pattern.op)


def match(pattern: Node, node: Node, same: Same) -> Found | None:
    """What the holes stand for where the node fits the pattern, else None.

    A hole that occurs twice must stand for the `same` node, or an equal attribute.
    """
    found: Found = {}
    return found if _matches(pattern, node, found, same) else None


def _matches(pattern: Node, node: Node, found: Found, same: Same) -> bool:
    wanted = pattern.op
    if isinstance(wanted, NodeHole):
        earlier = found.setdefault(wanted.key, node)
        return isinstance(earlier, Node) and same(earlier, node)
    if isinstance(wanted, Constant):
        return isinstance(node.op, Constant) and equals(node.op, wanted.value.array)
    if not _matches_op(wanted, node.op, found):
        return False
    operands = pattern.inputs
    if operands and isinstance(operands[0].op, OperandsHole):
        found[operands[0].op.key] = node.inputs
        return True
    if len(operands) != len(node.inputs):
        return False
    for part, operand in zip(operands, node.inputs, strict=True):  # quicker than all(...)
        if not _matches(part, operand, found, same):
            return False
    return True


def _matches_op(wanted: Op, op: Op, found: Found) -> bool:
    if isinstance(wanted, OpHole):
        return isinstance(op, wanted.family) and found.setdefault(wanted.key, op) == op
    if type(wanted) is not type(op):
        return False
    if wanted == op:
        return True
    for field in fields(wanted):
        hole, value = getattr(wanted, field.name), getattr(op, field.name)
        if isinstance(hole, AttributeHole):
            hole = found.setdefault(hole.key, value)
        if hole != value:
            return False
    return True


def inner(pattern: Node, node: Node) -> Iterator[Node]:
    """The nodes between the root of a match and its holes and numbers."""
    for part, operand in zip(pattern.inputs, node.inputs, strict=False):
        if part.inputs:
            yield operand
            yield from inner(part, operand)


def equals(constant: Constant, literal: Array) -> bool:
    """Is every element the number `literal`? Zero and minus zero differ, and so do 1 and True."""
    array = constant.value.array
    if array.size == 0 or (array.dtype == np.bool_) != (literal.dtype == np.bool_):
        return False
    if array.flat[0] != literal or not np.all(array == literal):
        return False
    return bool(np.all(np.signbit(array) == np.signbit(literal))) if literal == 0 else True
