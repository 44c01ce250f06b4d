"""Second derivatives where a factor is zero, and squares of roots at zero."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.values import values

import chainrule as cr

TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])


@TARGETS
@pytest.mark.parametrize("at", [[2, 3, 4, 5], [0, 2, 3, 4], [0, 0, 3, 4], [0, 0, 0, 4]])
def test_the_hessian_of_a_product_holds_the_products_of_the_others(
    target: str, at: list[float]
) -> None:
    x = cr.input("x", (4,), "float64")
    (found,) = values([cr.hessian(cr.prod(x), x)], target, x=np.array(at, float))
    right = [[0 if i == j else np.prod(np.delete(at, [i, j])) for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(found, right, atol=1e-13)


SQUARES: dict[str, Callable[[cr.Node], cr.Node]] = {
    "power": lambda norm: norm**2,
    "product": lambda norm: norm * norm,
    "times": lambda norm: 3.0 * norm**2,
    "half": lambda norm: norm**2 / 2.0,
    "exponential": lambda norm: cr.exp(norm**2),
    "fourth power": lambda norm: norm**4,
}


@TARGETS
@pytest.mark.parametrize("square", SQUARES)
def test_the_square_of_a_norm_is_smooth_at_0(target: str, square: str) -> None:
    x = cr.input("x", (3,))
    slope = cr.grad(SQUARES[square](cr.sqrt(cr.sum(x * x))), x)
    (found,) = values([slope], target, x=np.zeros(3, np.float32))
    np.testing.assert_array_equal(found, np.zeros(3))
    at = np.array([3, 0, 4], np.float32)
    (found,) = values([slope], target, x=at)
    factor = {"power": 2, "product": 2, "times": 6, "half": 1, "exponential": 2 * np.exp(25)}
    np.testing.assert_allclose(found, factor.get(square, 100) * at, rtol=1e-5)


@TARGETS
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_sums_and_products_of_integers_have_the_largest_type(target: str, dtype: str) -> None:
    x = cr.input("x", (2,), dtype)
    total, product = cr.sum(x), cr.prod(x)
    assert total.type.dtype.name == product.type.dtype.name == "int64"
    large = {"uint8": 200, "int32": 2**30, "int64": 2**30}[dtype]
    found = values([total, product], target, x=np.array([large, large], dtype))
    assert [int(each) for each in found] == [2 * large, large**2]
