"""Derivatives where a formula has a special case, and far out, on every target."""

import numpy as np
import pytest
from tests.values import values

import chainrule as cr

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])


@TARGETS
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_slope_of_elu_at_0_is_that_of_its_exponential(target: str, scale: float) -> None:
    x = cr.input("x", (4,))
    (slope,) = values(
        [cr.grad(cr.sum(cr.elu(x, scale)), x)],
        target,
        x=np.array([-0.0, 0.0, 1e-6, -1e-6], np.float32),
    )
    np.testing.assert_allclose(slope, [scale, scale, 1, scale], rtol=1e-5)


@TARGETS
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, -1.0, 0.5])
def test_mixed_derivatives_of_a_power_agree_in_either_order(target: str, exponent: float) -> None:
    a, e = cr.input("a", (), "float64"), cr.input("e", (), "float64")
    nodes = [cr.grad(cr.grad(a**e, a), e), cr.grad(cr.grad(a**e, e), a)]
    found = values(nodes, target, a=2.0, e=exponent)
    right = 2 ** (exponent - 1) * (1 + exponent * np.log(2))
    np.testing.assert_allclose(found, [right, right], rtol=1e-13)


@TARGETS
def test_a_power_of_0_has_finite_derivatives(target: str) -> None:
    a, e = cr.input("a", (4,)), cr.input("e", (4,))
    slope = cr.grad(cr.sum(a**e), a)
    (found,) = values(
        [slope],
        target,
        a=np.array([0, 1e-40, 0, 0], np.float32),
        e=np.array([0, 0, 1, 2], np.float32),
    )
    np.testing.assert_array_equal(found, [0, 0, 1, 0])


@TARGETS
@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
def test_whole_powers_have_a_hessian_at_0(target: str, exponent: int) -> None:
    x = cr.input("x", (3,))
    (found,) = values(
        [cr.hessian(cr.sum(x**exponent), x)], target, x=np.array([0, 2, -1], np.float32)
    )
    second = exponent * (exponent - 1) * np.array([0.0, 2, -1]) ** max(exponent - 2, 0)
    np.testing.assert_allclose(found, np.diag(second), rtol=1e-6)


@TARGETS
def test_the_slope_of_expm1_is_the_exponential_to_the_last_digits(target: str) -> None:
    x = cr.input("x", (3,), "float64")
    at = np.array([-30.0, -5.0, 1.0])
    (found,) = values([cr.grad(cr.sum(cr.expm1(x)), x)], target, x=at)
    np.testing.assert_allclose(found, np.exp(at), rtol=1e-15)
