"""Loss surfaces: contours lie where the loss has their level, paths where the states are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet
from numpy.typing import NDArray
from tests.chainrule.plots.legible import assert_legible, corners, curve, texts
from tests.chainrule.plots.problems import ROWS, loss_of, trained

import chainrule as cr
from chainrule import optim

Floats = NDArray[np.float64]


def bowl() -> tuple[cr.Node, cr.Node, cr.Node]:
    a, b = cr.parameter("a", (), -1.0), cr.parameter("b", (), 2.0)
    return a, b, (a - 1) ** 2 + 4 * b**2 + 1


def values(recording: cr.plots.Recording, name: str) -> Floats:
    return np.array([state[name].item() for state in recording.states])


def contours(plot: cr.plots.Plot) -> list[tuple[float, Floats]]:
    """Each level and the points of its line."""
    found = [c for c in plot.figure.axes[0].collections if isinstance(c, QuadContourSet)]
    lines = found[1]  # in front of the filled ones
    return [
        (float(level), corners(path))
        for level, path in zip(lines.levels, lines.get_paths(), strict=True)
        if len(corners(path))
    ]


def test_contours_over_two_parameters_are_the_formula_and_the_path_is_the_states() -> None:
    a, b, loss = bowl()
    step = cr.compile(optim.SGD(lr=0.05).minimize(loss), target="numpy")
    recording = cr.plots.record_steps(step, steps=8)
    plot = cr.plots.loss_surface(loss, None, recording.states, over=(a, b), points=31)
    lines = contours(plot)
    assert len(lines) > 5
    for level, points in lines:
        heights = (points[:, 0] - 1) ** 2 + 4 * points[:, 1] ** 2 + 1
        np.testing.assert_allclose(heights, level, rtol=0.03)
    path = curve(plot, 0, 0)
    np.testing.assert_allclose(path.x, values(recording, "a"), rtol=1e-6)
    np.testing.assert_allclose(path.y, values(recording, "b"), rtol=1e-6)
    assert {"Loss over a and b", "path: 8 moves", "start", "end", "loss"} <= set(texts(plot))
    assert_legible(plot)


def test_several_paths_stand_on_one_surface() -> None:
    a, b, loss = bowl()
    optimizers = {"slow": optim.SGD(lr=0.01), "Adam": optim.Adam(lr=0.3)}
    recordings = {
        name: cr.plots.record_steps(cr.compile(each.minimize(loss), target="numpy"), steps=8)
        for name, each in optimizers.items()
    }
    paths = {name: recording.states for name, recording in recordings.items()}
    plot = cr.plots.loss_surface(loss, None, paths, over=(a, b), points=11)
    for position, recording in enumerate(recordings.values()):
        path = curve(plot, 0, position)
        np.testing.assert_allclose(path.x, values(recording, "a"), rtol=1e-6)
        np.testing.assert_allclose(path.y, values(recording, "b"), rtol=1e-6)
    assert {"slow", "Adam"} <= set(texts(plot))
    assert_legible(plot)
    with pytest.raises(cr.InputError, match=r"loss_surface: 0 paths, not from 1 to 16"):
        cr.plots.loss_surface(loss, None, {}, over=(a, b))


def test_elements_of_a_matrix_vary_while_all_else_stays() -> None:
    classifier, recording = trained()
    weight = classifier.model[0].weight
    over = ((weight, (0, 1)), (weight, (1, 3)))
    intervals = ((-3.0, 3.0), (-2.0, 2.0))
    plot = cr.plots.loss_surface(
        classifier.loss, ROWS, recording.states, over=over, intervals=intervals, points=25
    )
    last = dict(recording.states[-1].items())
    level, points = contours(plot)[3]
    for first, second in points[::10]:
        changed = np.array(last["model/linear1/weight"])
        changed[0, 1], changed[1, 3] = first, second
        at = loss_of(cr.State({**last, "model/linear1/weight": changed}))
        assert at == pytest.approx(level, rel=0.01)
    assert plot.figure.axes[0].get_xlim() == (-3, 3)
    named = set(texts(plot))
    assert {"model/linear1/weight[0, 1]", "model/linear1/weight[1, 3]"} <= named
    assert "path, projected: 12 moves" in named
    assert_legible(plot)


def test_a_whole_network_is_seen_along_the_principal_directions_of_its_path() -> None:
    classifier, recording = trained()
    plot = cr.plots.loss_surface(classifier.loss, ROWS, recording.states, points=15)
    names = [f"model/linear{k}/{part}" for k in (1, 2) for part in ("weight", "bias")]
    rows = np.array([np.concatenate([s[n].ravel() for n in names]) for s in recording.states])
    away = (rows - rows[-1]).astype(np.float64)
    squares, directions = np.linalg.eigh(away.T @ away)
    path = curve(plot, 0, 0)
    for k, data in ((-1, path.x), (-2, path.y)):
        np.testing.assert_allclose(np.abs(away @ directions[:, k]), np.abs(data), atol=1e-5)
        share = f"{squares[k] / squares.sum():.0%} of the path"
        assert f"direction {-k} ({share})" in texts(plot)
    # at the path's end the surface has the loss of the last state
    level, points = min(
        contours(plot), key=lambda line: abs(line[0] - loss_of(recording.states[-1]))
    )
    nearest = points[np.argmin(np.hypot(*points.T))]
    assert abs(level - loss_of(recording.states[-1])) < 0.2
    assert np.hypot(*nearest) < np.hypot(*np.array([path.x[0], path.y[0]]))
    assert_legible(plot)


def test_a_single_state_is_looked_at_in_random_directions_that_a_seed_names() -> None:
    classifier, recording = trained()
    state = recording.states[-1]
    first, again, other = (
        cr.plots.loss_surface(classifier.loss, ROWS, state, points=9, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first.svg() == again.svg() != other.svg()
    assert {"direction 1 (random)", "direction 2 (random)", "the state"} <= set(texts(first))
    assert_legible(first)


def test_a_narrow_valley_and_a_flat_loss_have_contours_too() -> None:
    a, b = cr.parameter("a", (), -1.0), cr.parameter("b", (), 1.5)
    valley = (1 - a) ** 2 + 100 * (b - a**2) ** 2
    state = cr.State({"a": np.float32(-1), "b": np.float32(1.5)})
    intervals = ((-2.0, 2.0), (-1.0, 3.0))
    plot = cr.plots.loss_surface(valley, None, state, over=(a, b), intervals=intervals)
    assert len(contours(plot)) > 8
    assert_legible(plot)
    flat = cr.plots.loss_surface(0 * a + 0 * b + 2, None, state, over=(a, b), points=5)
    assert_legible(flat)


def refused(message: str, **changed: Any) -> None:
    a, b, loss = bowl()
    state = cr.State({"a": np.float32(0), "b": np.float32(1)})
    given: dict[str, Any] = {
        "loss": loss,
        "data": None,
        "states": state,
        "over": (a, b),
        "points": 5,
    }
    with pytest.raises(cr.ChainruleError, match=message):
        cr.plots.loss_surface(**{**given, **changed})


def test_what_has_no_surface_is_refused() -> None:
    a, _, loss = bowl()
    x = cr.input("x")
    refused("scalar", loss=cr.input("v", (3,)))
    refused("reads no parameter", loss=x * x, over=None)
    refused("does not name two different numbers", over=(a, a))
    refused("does not name two different numbers", over=(a, x))
    refused("does not name two different numbers", over=((a, (0,)), a))
    refused("does not name two different numbers", over=a)
    refused("states holds nothing, not states", states=[])
    refused("states holds dict, not states", states=[{}])
    refused("there is no value 'a'", states=cr.State({"b": np.float32(0)}))
    refused("'a' is not finite", states=cr.State({"a": np.float32(np.nan), "b": np.float32(0)}))
    refused("are no two intervals", intervals=((1, 0), (0, 1)))
    refused("points must be a whole number, at least 5", points=4)
    refused("402 points a side are too many", points=402)
    refused("not finite anywhere", loss=cr.log(-(loss**2)))
