"""What the registry walk shares: samples as graphs, values for them, and the backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from chainc.backends.target import Target
from chainc.interpreters import reference
from chainc.interpreters.counting import KernelCounter, Work
from chainc.ir import REGISTRY, Graph, Node, Op, Sample, apply, substitute
from chainc.ir.errors import GradientError
from chainc.ir.kernels import Family, interpret
from chainc.ir.leaves import Input
from chainc.ir.types import Array, DType, Shape, TensorType, float32, float64, static
from chainc.ops.elementwise import Elementwise
from chainc.ops.runs.scan import Scan, step_input
from chainc.passes import Pass
from chainrule.compiled.compilation import compile
from chainrule.compiled.state import State

Floats = npt.NDArray[np.float64]
Values = Mapping[str, Array]


@dataclass(frozen=True)
class Backend:
    """A way to compute a graph, and how far its results may be from the reference's."""

    name: str
    run: Callable[[Graph, Values, Values], Sequence[Array]]
    tolerance: Mapping[DType, float]  # relative to the largest element, per element type

    def compute(self, node: Node, inputs: Values, states: Values) -> Floats:
        (result,) = self.run(Graph((node,)), inputs, states)
        return cast("Floats", result)

    def check(self, node: Node, dtype: DType, found: Array, wanted: npt.ArrayLike) -> None:
        """A result has the declared shape and kind and, within the tolerance, the values."""
        expected = np.asarray(wanted)
        assert found.shape == expected.shape
        assert np.can_cast(node.type.dtype.numpy, found.dtype)
        scale = np.max(np.abs(expected), initial=1.0, where=np.isfinite(expected))
        bound = self.tolerance[dtype] * scale if node.type.dtype.is_float else 0.0
        np.testing.assert_allclose(cast("Floats", found), expected, rtol=0, atol=bound)


def _reference(graph: Graph, inputs: Values, states: Values) -> Sequence[Array]:
    return reference.evaluate(graph, inputs, states).outputs


def compiled_for(
    target: str | Target, passes: Sequence[Pass] | None
) -> Callable[[Graph, Values, Values], Sequence[Array]]:
    def run(graph: Graph, inputs: Values, states: Values) -> Sequence[Array]:
        function = compile(graph, target=target, passes=passes).bind(State(states))
        used = {leaf.op.label for leaf in function.declared.leaves("input")}
        return function({key: value for key, value in inputs.items() if key in used})

    return run


ROUNDING = {float32: 1e-6, float64: 1e-13}
BACKENDS = (
    Backend("reference", _reference, {float32: 1e-14, float64: 1e-14}),
    Backend("numpy", compiled_for("numpy", None), ROUNDING),
    Backend("numpy-without-passes", compiled_for("numpy", ()), ROUNDING),
    Backend("llvm", compiled_for("llvm", None), ROUNDING),
    Backend("llvm-without-passes", compiled_for("llvm", ()), ROUNDING),
)


@dataclass(frozen=True)
class Trial:
    """One sample of an op: its node over inputs "0", "1", …, and values for them."""

    node: Node
    inputs: Values
    states: Values
    domain: tuple[float, float]

    @property
    def operands(self) -> tuple[Node, ...]:
        return self.node.inputs

    @property
    def arrays(self) -> list[Array]:
        return [self.inputs[str(position)] for position in range(len(self.operands))]


def samples(name: str) -> Sequence[Sample]:
    """The op's samples; of an elementwise op also over other shapes of its first one."""
    found = REGISTRY[name].samples()
    assert found, f"{name} has no samples"
    if not isinstance(found[0].op, Elementwise):
        return found
    return [*found, *_other_shapes(found[0])]


SHAPES: Sequence[Sequence[Shape]] = (
    ((), (), ()),
    ((0,), (0,), (0,)),
    ((2, 1), (1, 3), (3,)),
    ((0, 1), (1, 2), ()),
    ((1, 1), (1,), ()),
    ((5,), (), (1,)),
)


def _other_shapes(sample: Sample) -> Iterator[Sample]:
    for shapes in SHAPES:
        operands = tuple(
            operand.with_shape(shape)
            for operand, shape in zip(sample.operands, shapes, strict=False)
        )
        yield Sample(sample.op, operands, sample.domain)


def _op_as(op: Op, dtype: DType) -> Op:
    """The op with such floating-point numbers in the bodies whose types are fixed."""
    if not isinstance(op, Scan):
        return op
    leaves = op.body.leaves("input")
    known = {leaf: step_input(int(leaf.op.label), _as(leaf.type, dtype)) for leaf in leaves}
    return replace(op, body=substitute(op.body, known))


def trials(name: str, dtype: DType = float64) -> Iterator[Trial]:
    """The op's samples with floating-point operands of the given type, and drawn values."""
    random = np.random.default_rng(20)
    for sample in samples(name):
        types = [_as(type, dtype) for type in sample.operands]
        operands = [apply(Input(str(position), type)) for position, type in enumerate(types)]
        node = apply(_op_as(sample.op, dtype), *operands)
        leaves = [(leaf.op.label, leaf) for leaf in Graph((node,)).leaves("input")]
        bounded = bounds(node)
        inputs: dict[str, Array] = {}
        for key, leaf in leaves:
            inputs[key] = draw(leaf.type, sample.domain, bounded.get(key, 100), random)
        states = {
            leaf.op.label: draw(leaf.type, sample.domain, 2, random)
            for leaf in Graph((node,)).leaves("state")
        }
        yield Trial(node, inputs, states, sample.domain)


class Indices(KernelCounter):
    """The kernel vocabulary that looks for operands that are indices, and for their bounds."""

    def __init__(self) -> None:
        super().__init__({})
        self.found: list[tuple[Work, int]] = []

    def apply(self, family: Family, result: TensorType, *operands: Work) -> Work:
        index = family.index(result.shape, [operand.type.shape for operand in operands])
        if index is not None:
            self.found.append((operands[index[0]], static(index[1:])[0]))
        return super().apply(family, result, *operands)


def bounds(node: Node) -> dict[str, int]:
    """Which operands are indices, by position, and the number that each must stay below."""
    kernels, operands = Indices(), [Work(operand.type) for operand in node.inputs]
    if not operands:
        return {}
    interpret(node, kernels, operands)
    positions = {id(operand): str(position) for position, operand in enumerate(operands)}
    return {positions[id(operand)]: bound for operand, bound in kernels.found}


def _as(type: TensorType, dtype: DType) -> TensorType:
    return type.with_dtype(dtype) if type.dtype.is_float else type


def draw(
    type: TensorType, domain: tuple[float, float], bound: int, random: np.random.Generator
) -> Array:
    """Values of a type: floating-point ones within the domain, integers from 0 to bound - 1."""
    shape = static(type.shape)
    if type.dtype.is_float:
        return random.uniform(*domain, shape).astype(type.dtype.numpy)
    return random.integers(0, bound if type.dtype.kind == "i" else 2, shape).astype(
        type.dtype.numpy
    )


def differentiable(name: str) -> Iterator[tuple[Trial, list[Node]]]:
    """The op's trials that have elements and a local derivative, with the operands that count."""
    for trial in trials(name):
        op, wrt = trial.node.op, [x for x in trial.operands if x.type.dtype.is_float]
        known = hasattr(op, "vjp") or isinstance(op, Elementwise)
        is_empty = 0 in (trial.node.type.size, *(x.type.size for x in wrt))
        if wrt and known and not is_empty and trial.node.type.dtype.is_float and _admits(trial):
            yield trial, wrt


def _admits(trial: Trial) -> bool:
    """Does the op not refuse to be differentiated?"""
    try:
        if hasattr(trial.node.op, "vjp"):
            trial.node.op.vjp(trial.node, trial.node, *trial.operands)
    except GradientError:
        return False
    return True


def compute(nodes: Sequence[Node], inputs: Values) -> list[Floats]:
    """The nodes' values by the reference, which needs no values that do not occur."""
    graph = Graph(tuple(nodes))
    used = {leaf.op.label for leaf in graph.leaves("input")}
    results = reference.evaluate(graph, {k: v for k, v in inputs.items() if k in used}).outputs
    return [cast("Floats", result) for result in results]


def slope(f: Callable[[float], float], step: float = 1e-4) -> float:
    """f'(0) by the central difference of fourth order."""
    near, far = f(step) - f(-step), f(2 * step) - f(-2 * step)
    return (8 * near - far) / (12 * step)


def dot(a: Sequence[Floats], b: Sequence[Floats]) -> float:
    """Σ a b over all elements of all arrays."""
    return float(sum(np.sum(x * y) for x, y in zip(a, b, strict=True)))
