"""Every rewrite rule with operands to try it on: a new rule is tested without a test of its own."""

from __future__ import annotations

import importlib
import itertools
import math
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import get_type_hints

import numpy as np

from chainc import passes
from chainc.interpreters.evaluate import evaluate_node
from chainc.ir import Derivative, Graph, Node, Origin, apply, originating, topological
from chainc.ir.binding import bind_graph
from chainc.ir.errors import ChainruleError
from chainc.ir.leaves import Constant, ConstantArray, Input, constant
from chainc.ir.types import Array, TensorType, bool_, float32, float64, int32, static
from chainc.rewriting.patterns import Found, Operands
from chainc.rewriting.rules import Rule, RuleSet

SIZES = {"batch": 4}
ELEMENTS = 1600  # of an operand of an elementwise rule: so many cases at once

SPECIAL = (0.0, 1.0, 2.0, 0.5, 3.0, 1e-3, 1e-9, 20.0, 90.0, 800.0, 3e38, 1e-38, 1e-44, np.inf)
SPECIAL_FLOATS = np.array([*SPECIAL, *(-x for x in SPECIAL), np.nan, 1e300, 1e-300, 1e-320])
SPECIAL_INTEGERS = np.array([0, 1, -1, 2, -2, 3, 7, 2**31 - 1, -(2**31)])


@dataclass(frozen=True)
class Instance:
    """Both sides of a rule over the same inputs."""

    rule: Rule
    left: Node
    right: Node

    @property
    def inputs(self) -> tuple[Node, ...]:
        return tuple(node for node in topological([self.left]) if isinstance(node.op, Input))

    @property
    def is_elementwise(self) -> bool:
        """Are its values one for one those of the operands, ELEMENTS of them?"""
        return not self.rule.at

    @property
    def elements(self) -> int:
        """Of the result."""
        return math.prod(static(self.left.type.bind(SIZES).shape))

    @property
    def is_exact(self) -> bool:
        return self.rule.kind_at(self.left) == "exact"

    def __str__(self) -> str:
        types = ", ".join(str(node.type) for node in self.inputs)
        return f"{self.rule.name}({types})"


def all_rules() -> list[Rule]:
    """The rules of every module of the passes."""
    modules = (
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(passes.__path__, f"{passes.__name__}.")
    )
    sets = (getattr(module, "rule", None) for module in modules)
    return [rule for rules in sets if isinstance(rules, RuleSet) for rule in rules]


@cache
def instances(rule: Rule) -> Sequence[Instance]:
    """The rule over operands of every element type and shape at which it applies."""
    tried = rule.at or _elementwise(len(_hints(rule)))
    return [instance for arguments in tried for instance in instances_at(rule, arguments)]


def instances_at(rule: Rule, arguments: Sequence[object]) -> Iterator[Instance]:
    """The rule over these operands in single and in double precision, where it applies."""
    for wide in (False, True):
        found: Found = {
            key: _argument(key, hint, argument, wide)
            for (key, hint), argument in zip(_hints(rule).items(), arguments, strict=True)
        }
        with originating(_in_a_gradient()):
            sides = _sides(rule, found)
        if sides is not None:
            yield Instance(rule, *sides)


@cache
def _hints(rule: Rule) -> dict[str, object]:
    hints = get_type_hints(rule.statement)
    del hints["return"]
    return hints


def _in_a_gradient() -> Origin:
    """Some rules are for derivatives only."""
    return Origin(derivative=Derivative(constant(1.0), None, "local derivative"))


def _elementwise(count: int) -> Iterator[Sequence[TensorType]]:
    """Operands of every kind of element type, also with a scalar in the last place."""
    for kinds in itertools.product((float32, int32, bool_), repeat=count):
        yield [TensorType((ELEMENTS,), kind) for kind in kinds]
        if count > 1:
            shapes = [(ELEMENTS,)] * (count - 1) + [()]
            yield [TensorType(shape, kind) for shape, kind in zip(shapes, kinds, strict=True)]


def _argument(key: str, hint: object, argument: object, wide: bool) -> object:
    if hint is Node:
        return _node(key, argument, wide)
    if hint == Operands and isinstance(argument, tuple):
        return tuple(_node(f"{key}{i}", part, wide) for i, part in enumerate(argument))
    if hint is Constant and isinstance(argument, float):
        return Constant(ConstantArray(np.asarray(argument, (float64 if wide else float32).numpy)))
    return argument


def _node(key: str, argument: object, wide: bool) -> Node:
    """An input of the given type, or a movement of one, or a number."""
    if isinstance(argument, tuple):
        type, movement = argument
        return apply(movement, _node(key, type, wide))
    if isinstance(argument, TensorType):
        widens = wide and argument.dtype.is_float
        return apply(Input(key, argument.with_dtype(float64) if widens else argument))
    assert isinstance(argument, float)
    return constant(argument, float64 if wide else float32)


def _sides(rule: Rule, found: Found) -> tuple[Node, Node] | None:
    """Left and right, or None where the left cannot be built or the rule does not apply."""
    try:
        left, _ = rule.statement(**found)
    except ChainruleError:
        return None
    right = rule.result(found)
    return None if right is None or right.type != left.type else (left, right)


# ----- values


def draw(instance: Instance, random: np.random.Generator, *, moderate: bool) -> dict[str, Array]:
    """Values for the inputs: moderate and positive, or of any size and kind."""
    values: dict[str, Array] = {}
    for node in instance.inputs:
        shape = static(node.type.bind(SIZES).shape)
        if node.type.dtype.kind == "b":
            value: Array = random.integers(0, 2, shape)
        elif node.type.dtype.kind == "i":
            value = _integers(random, shape, labels=bool(instance.rule.at))
        elif moderate:
            value = random.uniform(0.5, 2.5, shape)
        else:
            value = _floats(random, shape, node.type.dtype == float64)
            if not instance.is_elementwise:  # products and sums stay in range
                value = np.where(np.isinf(value), value, np.clip(value, -1e15, 1e15))
        with np.errstate(over="ignore"):
            values[node.op.label] = value.astype(node.type.dtype.numpy)
    return values


def _integers(random: np.random.Generator, shape: tuple[int, ...], *, labels: bool) -> Array:
    if labels:
        return random.integers(0, 3, shape)
    some = random.integers(-100, 100, shape)
    return np.where(random.random(shape) < 0.5, random.choice(SPECIAL_INTEGERS, shape), some)


def _floats(random: np.random.Generator, shape: tuple[int, ...], wide: bool) -> Array:
    """A third special, a third of every magnitude, a third around 1."""
    exponents = random.uniform(-320, 305, shape) if wide else random.uniform(-46, 38, shape)
    signs = random.choice([-1.0, 1.0], shape)
    kind = random.integers(0, 3, shape)
    middle = np.where(kind == 1, signs * 10.0**exponents, random.normal(0, 3, shape))
    return np.where(kind == 0, random.choice(SPECIAL_FLOATS, shape), middle)


def compute(roots: Sequence[Node], values: Mapping[str, Array]) -> list[Array]:
    """The roots in their own element types, with every named size bound."""
    graph = _bound(tuple(roots))
    known: dict[Node, Array] = {}
    for node in graph.nodes:
        if isinstance(node.op, Input):
            known[node] = values[node.op.key]
        else:
            known[node] = evaluate_node(node, [known[operand] for operand in node.inputs])
    return [known[root] for root in graph.outputs]


@lru_cache(maxsize=8)
def _bound(roots: tuple[Node, ...]) -> Graph:
    """One rule is computed many times, and then no more."""
    return bind_graph(Graph(roots), SIZES)
