"""Initialisers: their distributions against the cited formulas, and orthogonality."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from chainc.interpreters.reference import evaluate
from chainc.ir.errors import InputError, ShapeError
from chainc.ir.leaves import initial_graph
from chainrule import init
from chainrule.declare.init import Initializer
from chainrule.declare.leaves import parameter

HERE = r"\n  where: .*test_init\.py:\d+\n  try: "
ROWS, COLUMNS = 120, 80


def draw(initializer: Initializer, *shape: int, seed: int = 1) -> npt.NDArray[np.float64]:
    graph = initial_graph([parameter("w", shape, initializer)])
    given = {"seed": seed} if graph.leaves("input") else {}
    return evaluate(graph, given).outputs[0].astype(np.float64)


def test_constants() -> None:
    assert draw(init.zeros(), 2, 3).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert draw(init.ones(), 2).tolist() == [1, 1]
    assert draw(init.constant(0.25), 1, 2).tolist() == [[0.25, 0.25]]
    assert draw(init.constant(np.array([1.0, 2.0])), 2).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        (init.normal(), 0.01),
        (init.normal(2.0), 2.0),
        (init.xavier_normal(), math.sqrt(2 / (ROWS + COLUMNS))),
        (init.he_normal(), math.sqrt(2 / ROWS)),
    ],
)
def test_normal_ones_have_the_stated_deviation(initializer: Initializer, std: float) -> None:
    drawn = draw(initializer, ROWS, COLUMNS).ravel()
    # 9,600 numbers: the mean is off by 1 %, the deviation by 0.7 % of std (one sigma)
    assert abs(drawn.mean()) < 0.05 * std
    assert drawn.std() == pytest.approx(std, rel=0.04)
    within = [(np.abs(drawn) < k * std).mean() for k in (1, 2, 3)]
    assert within == pytest.approx([math.erf(k / math.sqrt(2)) for k in (1, 2, 3)], abs=0.02)


@pytest.mark.parametrize(
    ("initializer", "low", "high"),
    [
        (init.uniform(), 0.0, 0.1),
        (init.uniform(-3, 1), -3.0, 1.0),
        (init.xavier_uniform(), -math.sqrt(6 / (ROWS + COLUMNS)), math.sqrt(6 / (ROWS + COLUMNS))),
        (init.he_uniform(), -math.sqrt(6 / ROWS), math.sqrt(6 / ROWS)),
    ],
)
def test_uniform_ones_fill_the_stated_range(
    initializer: Initializer, low: float, high: float
) -> None:
    drawn = (draw(initializer, ROWS, COLUMNS).ravel() - low) / (high - low)
    assert drawn.min() > -1e-9
    assert drawn.max() < 1
    shares = np.histogram(drawn, bins=10, range=(0, 1))[0] / drawn.size
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.02)


@pytest.mark.parametrize("shape", [(50, 30), (30, 50), (40, 40), (64, 10), (1, 1), (5, 1), (2, 2)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_orthogonal_has_orthonormal_rows_or_columns(shape: tuple[int, int], seed: int) -> None:
    q = draw(init.orthogonal(), *shape, seed=seed)
    gram = q.T @ q if shape[0] >= shape[1] else q @ q.T
    assert np.abs(gram - np.eye(min(shape))).max() < 1e-5


def test_orthogonal_converges_for_the_worst_of_many_square_matrices() -> None:
    drawn = [draw(init.orthogonal(), 8, 8, seed=seed) for seed in range(30)]
    assert max(np.abs(q.T @ q - np.eye(8)).max() for q in drawn) < 1e-9


def test_orthogonal_prefers_no_direction() -> None:
    # the squares of any entry of a random orthogonal n x n matrix average 1/n, the entries 0;
    # over 100 matrices the averages are off by 0.03 and 0.06 (one sigma)
    graph = initial_graph([parameter("w", (3, 3), init.orthogonal())])
    drawn = np.stack([evaluate(graph, {"seed": s}).outputs[0] for s in range(100)]).astype(float)
    assert np.abs((drawn**2).mean(0) - 1 / 3).max() < 0.1
    assert np.abs(drawn.mean(0)).max() < 0.2


def test_orthogonal_is_scaled_by_its_gain() -> None:
    q = draw(init.orthogonal(gain=3.0), 6, 4)
    assert np.abs(q.T @ q - 9 * np.eye(4)).max() < 1e-5


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (init.he_normal(), 2 / (6 * 5 * 3)),
        (init.he_uniform(), 2 / (6 * 5 * 3)),
        (init.xavier_normal(), 2 / (6 * 5 * 3 + 60 * 5 * 3)),
        (init.xavier_uniform(), 2 / (6 * 5 * 3 + 60 * 5 * 3)),
    ],
)
def test_the_taps_of_a_kernel_count(initializer: Initializer, variance: float) -> None:
    """PyTorch's fans: in / groups and out, each times the taps; (out, in / groups, height, width).

    Of 5,400 numbers the variance is off by 2 % (one sigma).
    """
    assert draw(initializer, 60, 6, 5, 3).var() == pytest.approx(variance, rel=0.08)
    assert draw(initializer, 300, 18).var() != pytest.approx(variance, rel=0.2)


@pytest.mark.parametrize("shape", [(4, 2, 3, 3), (40, 3, 2, 2), (6, 2, 3)])
def test_of_an_orthogonal_kernel_each_output_is_a_row(shape: tuple[int, ...]) -> None:
    q = draw(init.orthogonal(), *shape).reshape(shape[0], -1)
    gram = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    assert np.abs(gram - np.eye(min(q.shape))).max() < 1e-5


@pytest.mark.parametrize(
    "make", [init.he_normal, init.he_uniform, init.xavier_normal, init.orthogonal]
)
def test_empty_matrices_are_allowed(make: Callable[[], Initializer]) -> None:
    assert draw(make(), 0, 3).shape == (0, 3)


def test_initialisers_by_name_are_those_of_the_functions() -> None:
    weight = parameter("w", (5, 4), "xavier_uniform")
    drawn = evaluate(initial_graph([weight]), {"seed": 1}).outputs[0]
    assert np.array_equal(drawn, draw(init.xavier_uniform(), 5, 4))


def test_refusals() -> None:
    with pytest.raises(ShapeError, match=rf"^orthogonal needs a matrix.*\[2\]{HERE}use init"):
        draw(init.orthogonal(), 2)
    with pytest.raises(InputError, match=rf"init.normal: std must be .* at least 0.*{HERE}give a"):
        init.normal(-1.0)
    with pytest.raises(InputError, match=rf"init.uniform: high must be .* above 2.*{HERE}give low"):
        init.uniform(2.0, 1.0)
    with pytest.raises(InputError, match=rf"init.constant: value must be a finite.*{HERE}give a"):
        init.constant(math.nan)
    with pytest.raises(InputError, match=rf"init.orthogonal: gain must be .*{HERE}give gain=1"):
        init.orthogonal(0.0)
