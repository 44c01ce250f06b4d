"""Draws with a probability: bits up to a limit, which are those of uniform numbers below it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from chainc import ops
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node
from chainc.ir.leaves import constant
from chainc.ir.types import Array, float32
from chainc.ops.runs.random import most_bits

PROBABILITIES = [0.5, 0.2, 0.8, 1 - 0.2, 0.1, 1 / 3, 1e-7, 2.0**-24, 1.5 * 2.0**-24, 1e-30,
                 1 - 2.0**-24, 1 - 2.0**-25, 0.99999999, 1.0]  # fmt: skip


def values(*nodes: Node) -> tuple[Array, ...]:
    return evaluate(Graph(nodes), {}).outputs


def uniform_of(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """As `uniform` says it, in float32."""
    upper = (bits // 256).astype(np.float32)
    return (upper + np.float32(2**23)) * np.float32(2.0**-24)


@pytest.mark.parametrize("probability", PROBABILITIES)
def test_the_limit_is_where_uniform_numbers_pass_the_probability(probability: float) -> None:
    limit = most_bits(probability)
    assert limit is not None
    assert -(2**31) <= limit < 2**31
    around = np.arange(limit - 600, limit + 600)
    ends = np.array([-(2**31), -(2**31) + 255, -(2**31) + 256, -1, 0, 2**31 - 256, 2**31 - 1])
    bits = np.concatenate([around[(around >= -(2**31)) & (around < 2**31)], ends])
    np.testing.assert_array_equal(bits <= limit, uniform_of(bits) < np.float32(probability))


@pytest.mark.parametrize("probability", [*PROBABILITIES, 0, 1, True, -0.5, 2.0, 1e-50, np.nan])
def test_draws_are_uniform_numbers_below_the_probability(probability: float) -> None:
    drawn = ops.bernoulli((4096,), probability, 3, 1, stream="s")
    numbers = ops.uniform((4096,), 3, 1, stream="s")
    found, expected = values(drawn, numbers < constant(float(probability), float32))
    np.testing.assert_array_equal(found, expected)


def test_a_probability_may_be_a_node() -> None:
    drawn = ops.bernoulli((100,), constant(np.float32(0.3)), 3, 1, stream="s")
    found, expected = values(drawn, ops.bernoulli((100,), 0.3, 3, 1, stream="s"))
    np.testing.assert_array_equal(found, expected)
