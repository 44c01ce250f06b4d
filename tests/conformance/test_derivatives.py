"""Derivatives of every op that has one: finite differences, both modes, and sympy."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pytest
import sympy
from tests.conformance.harness import Floats, Trial, compute, differentiable, dot, slope, trials

from chainc import ops
from chainc.autodiff import jvp, vjp
from chainc.interpreters.symbolic import derivative, formula, symbolic_vjp
from chainc.ir import REGISTRY, Node, Op
from chainc.ir.leaves import constant
from chainc.ir.types import Array, bool_, static
from chainc.ops.elementwise import Elementwise

NAMES = sorted(REGISTRY)

# to a derivative it is a constant, which no finite difference and no formula can see
BY_DEFINITION = {"stop_gradient"}


def weights(nodes: Sequence[Node], seed: int) -> list[Floats]:
    random = np.random.default_rng(seed)
    return [random.normal(size=static(node.shape)) for node in nodes]


def moved(
    trial: Trial, wrt: Sequence[Node], along: Sequence[Floats], by: float
) -> Mapping[str, Array]:
    steps = {node.op.label: by * direction for node, direction in zip(wrt, along, strict=True)}
    return {key: cast("Floats", value) + steps[key] if key in steps else value
            for key, value in trial.inputs.items()}  # fmt: skip


def check_slope(trial: Trial, loss: Node, wrt: Sequence[Node], gradient: Sequence[Node]) -> None:
    """The gradient along a random direction is the change of the loss along it."""
    along = weights(wrt, 5)
    found = dot(compute(gradient, trial.inputs), along)
    expected = slope(lambda h: float(compute([loss], moved(trial, wrt, along, h))[0]))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", sorted(set(NAMES) - BY_DEFINITION))
def test_first_and_second_order_match_finite_differences(name: str) -> None:
    for trial, wrt in differentiable(name):
        (cotangent,) = (constant(u) for u in weights([trial.node], 3))
        loss = ops.sum(trial.node * cotangent)
        gradient = vjp([trial.node], wrt, [cotangent], allow_unused=True)
        check_slope(trial, loss, wrt, gradient)
        along = [constant(v) for v in weights(wrt, 4)]
        parts = [ops.sum(g * v) for g, v in zip(gradient, along, strict=True)]
        turned = vjp(gradient, wrt, along, allow_unused=True)
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        check_slope(trial, total, wrt, turned)


@pytest.mark.parametrize("name", NAMES)
def test_forward_and_reverse_mode_agree(name: str) -> None:
    """uᵀ (J t) = (uᵀ J) t."""
    for trial, wrt in differentiable(name):
        u, t = weights([trial.node], 6), weights(wrt, 7)
        (pushed,) = jvp([trial.node], wrt, [constant(tangent) for tangent in t])
        pulled = vjp([trial.node], wrt, [constant(u[0])], allow_unused=True)
        forward = compute([pushed], trial.inputs)
        backward = compute(pulled, trial.inputs)
        size = dot([np.abs(part) for part in backward], [np.abs(part) for part in t])
        assert abs(dot(forward, u) - dot(backward, t)) <= 1e-12 * max(size, 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_cotangents_have_the_types_of_the_operands(name: str) -> None:
    for trial in trials(name):
        wrt = [x for x in trial.operands if x.type.dtype.is_float]
        if not trial.node.type.dtype.is_float or not _has_vjp(trial.node):
            continue
        cotangent = ops.broadcast_to(constant(1.0, trial.node.type.dtype), trial.node.shape)
        pulled = vjp([trial.node], wrt, [cotangent], allow_unused=True)
        assert [g.type for g in pulled] == [x.type for x in wrt]


def _has_vjp(node: Node) -> bool:
    return hasattr(node.op, "vjp") and node.op.name != "region"


ELEMENTWISE = sorted(
    name
    for name in NAMES
    if issubclass(REGISTRY[name], Elementwise)
    and hasattr(REGISTRY[name], "vjp")
    and name not in BY_DEFINITION
    and next(differentiable(name), None) is not None
)


def declared_cotangents(op: Op, g: Node, y: Node, operands: Sequence[Node]) -> list[Node | None]:
    return [each() if callable(each) else each for each in op.vjp(g, y, *operands)]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_declared_derivatives_are_sympys(name: str) -> None:
    """Both as sympy evaluates the derivative, and as it is translated into nodes."""
    trial, _ = max(differentiable(name), key=lambda pair: pair[0].arrays[0].size)
    op, y, operands = trial.node.op, trial.node, trial.operands
    assert isinstance(op, Elementwise)
    symbols = [
        sympy.Symbol(f"x{position}")
        if x.type.dtype == bool_
        else sympy.Symbol(f"x{position}", real=True)
        for position, x in enumerate(operands)
    ]
    meaning = formula(op, symbols)
    g = ops.broadcast_to(constant(1.0, y.type.dtype), y.shape)
    declared = declared_cotangents(op, g, y, operands)
    arrays = np.broadcast_arrays(*trial.arrays)
    for symbol, operand, cotangent in zip(symbols, operands, declared, strict=True):
        if not operand.type.dtype.is_float:
            assert cotangent is None
            continue
        known = derivative(meaning, symbol)
        found = (
            np.zeros(arrays[0].shape)
            if cotangent is None
            else compute([cotangent], trial.inputs)[0]
        )
        for index in np.ndindex(arrays[0].shape):
            point = {s: array[index].item() for s, array in zip(symbols, arrays, strict=True)}
            expected = float(known.subs(point).evalf())
            assert found[index] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_translated_derivatives_are_the_declared_ones(name: str) -> None:
    for trial, wrt in differentiable(name):
        op, y, operands = trial.node.op, trial.node, trial.operands
        assert isinstance(op, Elementwise)
        if len(wrt) < len(operands):
            continue  # sympy has no derivative with respect to a Boolean
        g = ops.broadcast_to(constant(1.0, y.type.dtype), y.shape)
        for cotangent, translated in zip(
            declared_cotangents(op, g, y, operands), symbolic_vjp(op, g, operands), strict=True
        ):
            (expected,) = compute([translated], trial.inputs)
            found = np.zeros(()) if cotangent is None else compute([cotangent], trial.inputs)[0]
            both = np.broadcast_arrays(found, expected)
            np.testing.assert_allclose(both[0], both[1], rtol=1e-12, atol=1e-12)


def test_the_walk_reaches_what_training_needs() -> None:
    reached = {name for name in NAMES if next(differentiable(name), None) is not None}
    assert reached >= {"contract", "sum", "max", "prod", "reshape", "permute_dims", "broadcast_to",
                       "slice", "pad", "concat", "flip", "take", "scatter_add", "where", "formula",
                       "relu", "sigmoid", "softplus", "tanh", "power", "astype"}  # fmt: skip
    assert not reached & {"region", "fused_contract", "argmax", "one_hot", "less", "input"}
