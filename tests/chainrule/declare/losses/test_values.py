"""Each loss against its formula in NumPy, and its derivatives against difference quotients."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import losses

Floats = npt.NDArray[np.float64]
Given = dict[str, npt.NDArray[np.generic]]
TARGETS = pytest.mark.parametrize("target", ["numpy", "llvm"])

RNG = np.random.default_rng(4)
N, K = 6, 4
Z: Floats = 2 * RNG.normal(size=(N, K))
Y = np.array([0, 3, 1, 1, 2, 0], np.int32)
P: Floats = RNG.dirichlet(np.ones(K), N)
T: Floats = RNG.normal(size=(N, K))
B: Floats = RNG.integers(0, 2, (N, K)).astype(np.float64)
V: Floats = RNG.uniform(0.5, 2, (N, K))
CLASSES = [1.0, 2.0, 0.5, 3.0]
PAIR = [0.5, 3.0]
GIVEN: Given = {"z": Z, "y": Y, "p": P, "t": T, "b": B, "v": V}

LOG_P: Floats = Z - np.log(np.exp(Z).sum(1, keepdims=True))
CE: Floats = -LOG_P[np.arange(N), Y]
SIGMA: Floats = 1 / (1 + np.exp(-Z))
BCE: Floats = -B * np.log(SIGMA) - (1 - B) * np.log(1 - SIGMA)
OF_K: Floats = np.array(CLASSES)
OF_Y: Floats = OF_K[Y]
OF_B: Floats = np.where(B == 1, PAIR[1], PAIR[0])
D: Floats = Z - T
LEAD: Floats = np.maximum(0, 1 + Z - Z[np.arange(N), Y][:, None])
LEAD[np.arange(N), Y] = 0
SIDE: Floats = 2 * B - 1


def nodes() -> dict[str, cr.Node]:
    wide = {key: cr.input(key, ("batch", K), "float64") for key in "zptbv"}
    return {**wide, "y": cr.input("y", ("batch",), "int32")}


Declared = Callable[[Mapping[str, cr.Node]], cr.Node]


def smooth(targets: Floats, share: float) -> Floats:
    mixed: Floats = (1 - share) * targets + share / targets.shape[1]
    return mixed


ONE_HOT: Floats = np.eye(K)[Y]
KEPT: Floats = (Y != 1).astype(np.float64)


def nt_xent(temperature: float) -> Floats:
    """Of every view the similarity to each other one, and to that of the same row."""
    views = np.concatenate([Z, T])
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    alike = np.exp(views @ views.T / temperature)
    np.fill_diagonal(alike, 0)
    found: Floats = np.log(alike.sum(1) / alike[np.arange(2 * N), (np.arange(2 * N) + N) % (2 * N)])
    return found


CASES: dict[str, tuple[Declared, float | Floats]] = {
    "cross entropy": (lambda n: losses.cross_entropy(n["z"], n["y"]), CE.mean()),
    "of classes": (
        lambda n: losses.cross_entropy(n["z"], n["y"], weights=CLASSES),
        (OF_Y * CE).sum() / OF_Y.sum(),
    ),
    "smoothed": (
        lambda n: losses.cross_entropy(n["z"], n["y"], label_smoothing=0.1),
        -(smooth(ONE_HOT, 0.1) * LOG_P).sum(1).mean(),
    ),
    "smoothed, of classes": (
        lambda n: losses.cross_entropy(n["z"], n["y"], label_smoothing=0.1, weights=CLASSES),
        -(OF_K * smooth(ONE_HOT, 0.1) * LOG_P).sum() / OF_Y.sum(),
    ),
    "ignoring": (
        lambda n: losses.cross_entropy(n["z"], n["y"], ignore_index=1),
        (KEPT * CE).sum() / KEPT.sum(),
    ),
    "all of it": (
        lambda n: losses.cross_entropy(
            n["z"], n["y"], ignore_index=1, label_smoothing=0.2, weights=CLASSES, reduction="sum"
        ),
        -(KEPT[:, None] * OF_K * smooth(ONE_HOT, 0.2) * LOG_P).sum(),
    ),
    "each row": (
        lambda n: losses.cross_entropy(n["z"], n["y"], weights=CLASSES, reduction="none"),
        OF_Y * CE,
    ),
    "probabilities": (
        lambda n: losses.cross_entropy(n["z"], n["p"]), -(P * LOG_P).sum(1).mean()
    ),
    "probabilities of classes": (
        lambda n: losses.cross_entropy(n["z"], n["p"], weights=CLASSES, label_smoothing=0.1),
        -(OF_K * smooth(P, 0.1) * LOG_P).sum() / (OF_K * smooth(P, 0.1)).sum(),
    ),
    "kl": (lambda n: losses.kl_divergence(n["z"], n["p"]), (P * (np.log(P) - LOG_P)).sum(1).mean()),
    "binary": (lambda n: losses.binary_cross_entropy(n["z"], n["b"]), BCE.mean()),
    "binary of classes": (
        lambda n: losses.binary_cross_entropy(n["z"], n["b"], weights=PAIR),
        (OF_B * BCE).sum() / OF_B.sum(),
    ),
    "binary smoothed": (
        lambda n: losses.binary_cross_entropy(n["z"], n["b"], label_smoothing=0.2),
        -(np.log(SIGMA) * (0.8 * B + 0.1) + np.log(1 - SIGMA) * (0.9 - 0.8 * B)).mean(),
    ),
    "focal": (
        lambda n: losses.focal(n["z"], n["y"]), ((1 - np.exp(-CE)) ** 2 * CE).mean()
    ),
    "focal of classes": (
        lambda n: losses.focal(n["z"], n["y"], 0.5, weights=CLASSES),
        (OF_Y * (1 - np.exp(-CE)) ** 0.5 * CE).sum() / OF_Y.sum(),
    ),
    "focal at 0": (lambda n: losses.focal(n["z"], n["y"], 0), CE.mean()),
    "binary focal": (
        lambda n: losses.binary_focal(n["z"], n["b"], weights=PAIR, reduction="sum"),
        (OF_B * (1 - np.exp(-BCE)) ** 2 * BCE).sum(),
    ),
    "hinge": (lambda n: losses.hinge(n["z"], n["y"]), LEAD.sum() / K / N),
    "hinge of classes": (
        lambda n: losses.hinge(n["z"], n["y"], weights=CLASSES),
        (OF_Y * LEAD.sum(1) / K).sum() / OF_Y.sum(),
    ),
    "binary hinge": (
        lambda n: losses.binary_hinge(n["z"], n["b"], 2), np.maximum(0, 2 - SIDE * Z).mean()
    ),
    "binary hinge of classes": (
        lambda n: losses.binary_hinge(n["z"], 2 * n["b"] - 1, weights=PAIR),
        (OF_B * np.maximum(0, 1 - SIDE * Z)).sum() / OF_B.sum(),
    ),
    "squared of columns": (
        lambda n: losses.squared_error(n["z"], n["t"], weights=CLASSES),
        (OF_K * D**2).sum() / (N * OF_K.sum()),
    ),
    "absolute sum": (
        lambda n: losses.absolute_error(n["z"], n["t"], reduction="sum"), np.abs(D).sum()
    ),
    "huber": (
        lambda n: losses.huber(n["z"], n["t"], 0.7),
        np.where(np.abs(D) <= 0.7, D**2 / 2, 0.7 * (np.abs(D) - 0.35)).mean(),
    ),
    "quantile": (
        lambda n: losses.quantile(n["z"], n["t"], 0.9), np.maximum(-0.9 * D, 0.1 * D).mean()
    ),
    "gaussian": (
        lambda n: losses.gaussian_nll(n["z"], n["t"], n["v"]), ((np.log(V) + D**2 / V) / 2).mean()
    ),
    "gaussian in full": (
        lambda n: losses.gaussian_nll(n["z"], n["t"], n["v"], full=True),
        -np.log(np.exp(-(D**2) / V / 2) / np.sqrt(2 * np.pi * V)).mean(),
    ),
    "discriminator": (
        lambda n: losses.gan.discriminator(n["z"], n["t"]),
        -np.log(SIGMA).mean() - np.log(1 - 1 / (1 + np.exp(-T))).mean(),
    ),
    "generator": (lambda n: losses.gan.generator(n["z"]), -np.log(SIGMA).mean()),
    "kl normal": (
        lambda n: losses.kl_normal(n["t"], n["z"]), (np.exp(Z) + T**2 - 1 - Z).sum(1).mean() / 2
    ),
    "k means": (
        lambda n: losses.k_means(n["z"], n["p"]),
        ((Z[:, None] - P) ** 2).sum(2).min(1).mean(),
    ),
    "nt xent": (lambda n: losses.nt_xent(n["z"], n["t"], 0.3), nt_xent(0.3).mean()),
    "nt xent of rows": (
        lambda n: losses.nt_xent(n["z"], n["t"], 0.3, reduction="none"),
        nt_xent(0.3).reshape(2, N).T,
    ),
}  # fmt: skip


@TARGETS
@pytest.mark.parametrize("name", CASES)
def test_a_loss_is_its_formula(name: str, target: str) -> None:
    declared, wanted = CASES[name]
    node = declared(nodes())
    found = cr.compile(node, target=target)({**given_to(node)})
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-12)


def given_to(node: cr.Node) -> Given:
    read = {leaf.op.label for leaf in cr.Graph([node]).leaves("input")}
    return {key: value for key, value in GIVEN.items() if key in read}


@pytest.mark.parametrize("name", CASES)
def test_its_derivatives_are_difference_quotients(name: str) -> None:
    known = nodes()
    node = cr.sum(CASES[name][0](known))
    read = cr.Graph([node]).leaves("input")
    # the targets of these are classes, which have no derivative
    fixed = "by" if "hinge" in name or "focal" in name else "y"
    wrt = [leaf for leaf in read if leaf.op.label not in fixed]
    assert cr.check_grad(node, wrt, {leaf: GIVEN[leaf.op.label] for leaf in read}).passed


def rows_of(node: cr.Node) -> Floats:
    found: Floats = np.asarray(cr.compile(node)(given_to(node)), np.float64)
    return found


@pytest.mark.parametrize(
    "loss",
    [
        lambda n, w, r: losses.cross_entropy(n["z"], n["y"], weights=w, reduction=r),
        lambda n, w, r: losses.cross_entropy(n["z"], n["p"], weights=w, reduction=r),
        lambda n, w, r: losses.kl_divergence(n["z"], n["p"], weights=w, reduction=r),
        lambda n, w, r: losses.focal(n["z"], n["y"], weights=w, reduction=r),
        lambda n, w, r: losses.hinge(n["z"], n["y"], weights=w, reduction=r),
        lambda n, w, r: losses.binary_cross_entropy(n["z"], n["b"], weights=w, reduction=r),
        lambda n, w, r: losses.binary_focal(n["z"], n["b"], weights=w, reduction=r),
        lambda n, w, r: losses.binary_hinge(n["z"], n["b"], weights=w, reduction=r),
        lambda n, w, r: losses.squared_error(n["z"], n["t"], weights=w, reduction=r),
        lambda n, w, r: losses.absolute_error(n["z"], n["t"], weights=w, reduction=r),
        lambda n, w, r: losses.huber(n["z"], n["t"], weights=w, reduction=r),
        lambda n, w, r: losses.quantile(n["z"], n["t"], 0.3, weights=w, reduction=r),
        lambda n, w, r: losses.gaussian_nll(n["z"], n["t"], n["v"], weights=w, reduction=r),
    ],
)
def test_a_row_that_weighs_two_is_a_row_that_is_there_twice(
    loss: Callable[[Mapping[str, cr.Node], cr.Node | None, str], cr.Node],
) -> None:
    known = nodes()
    weights = cr.input("w", ("batch",), "float64")
    times = np.array([2, 0, 1, 3, 1, 1])
    for reduction in ("mean", "sum"):
        weighted, plain = loss(known, weights, reduction), loss(known, None, reduction)
        given = given_to(plain)
        repeated = {key: np.repeat(value, times, axis=0) for key, value in given.items()}
        found = cr.compile(weighted)({**given, "w": times.astype(np.float64)})
        np.testing.assert_allclose(found, cr.compile(plain)(repeated), rtol=1e-12)
    each, alone = loss(known, weights, "none"), loss(known, None, "none")
    found = cr.compile(each)({**given_to(alone), "w": times.astype(np.float64)})
    np.testing.assert_allclose(found, (rows_of(alone).T * times).T, rtol=1e-12)


def test_weights_of_classes_and_rows_that_all_are_0_give_0_and_no_gradient() -> None:
    z, y = cr.input("z", ("batch", K)), cr.input("y", ("batch",), "int32")
    w = cr.input("w", ("batch",))
    of_rows = losses.cross_entropy(z, y, weights=w)
    ignoring = losses.cross_entropy(z, y, ignore_index=-100)
    nodes = [of_rows, cr.grad(of_rows, z), ignoring, cr.grad(ignoring, z)]
    given = {"z": Z, "y": np.full(N, -100, np.int32), "w": np.zeros(N)}
    for found in cr.compile(nodes[2:])({"z": given["z"], "y": given["y"]}):
        assert not np.any(found)
    for found in cr.compile(nodes[:2])({**given, "y": Y}):
        assert not np.any(found)


def test_one_hot_probabilities_are_labels() -> None:
    z, y = cr.input("z", (N, K), "float64"), cr.input("y", (N,), "int32")
    given = {"z": Z, "y": Y}
    for weights in (None, CLASSES):
        for smoothing in (0.0, 0.3) if weights is None else (0.0,):
            a, b = (
                losses.cross_entropy(z, t, weights=weights, label_smoothing=smoothing)
                for t in (y, cr.one_hot(y, K, "float64"))
            )
            left, right = cr.compile([a, b])(given)
            np.testing.assert_allclose(left, right, rtol=1e-12)


def test_a_weight_of_a_static_node_is_one_a_class() -> None:
    z, y = cr.input("z", ("batch", K), "float64"), cr.input("y", ("batch",), "int32")
    weights = cr.input("weights", (K,))
    node = losses.cross_entropy(z, y, weights=weights)
    found = cr.compile(node)({"z": Z, "y": Y, "weights": np.array(CLASSES)})
    np.testing.assert_allclose(found, (OF_Y * CE).sum() / OF_Y.sum(), rtol=1e-12)


def test_what_makes_a_quantile_loss_smallest_is_the_quantile() -> None:
    values = np.arange(101.0)
    c, t = cr.input("c"), cr.input("t", ("n",))
    node = losses.quantile(cr.broadcast_to(c, ("n",)), t, 0.9)
    at = [float(cr.compile(node)(c=float(guess), t=values)) for guess in values]
    assert int(np.argmin(at)) == 90


@TARGETS
def test_a_centre_on_the_mean_of_its_points_stays_and_a_step_of_its_share_goes_there(
    target: str,
) -> None:
    points, centres = cr.input("points", ("batch", K), "float64"), cr.input("c", (2, K), "float64")
    gradient = cr.compile(cr.grad(losses.k_means(points, centres), centres), target=target)
    start = Z[:2]
    nearest = ((Z[:, None] - start) ** 2).sum(2).argmin(1)
    means = np.stack([Z[nearest == k].mean(0) for k in range(2)])
    shares = np.bincount(nearest) / N
    moved = start - gradient(points=Z, c=start) / (2 * shares[:, None])
    np.testing.assert_allclose(moved, means, rtol=1e-12)
    assert ((Z[:, None] - means) ** 2).sum(2).argmin(1).tolist() == nearest.tolist()
    np.testing.assert_allclose(gradient(points=Z, c=means), 0, atol=1e-15)


def test_views_that_all_look_alike_and_rows_of_zeros_give_no_direction() -> None:
    a, b = cr.input("a", ("batch", K)), cr.input("b", ("batch", K))
    loss = losses.nt_xent(a, b)
    run = cr.compile([loss, *cr.grad(loss, [a, b])])
    for rows in (np.ones((N, K), np.float32), np.zeros((N, K), np.float32)):
        value, *slopes = run(a=rows, b=rows)
        assert float(value) == pytest.approx(np.log(2 * N - 1), rel=1e-6)
        assert np.abs(slopes).max() < 1e-6


def test_the_divergence_of_a_standard_normal_is_0_and_exact_beside_it() -> None:
    m, v = cr.input("m", (2,), "float32"), cr.input("v", (2,), "float32")
    run = cr.compile(losses.kl_normal(m, v))
    assert run(m=[0, 0], v=[0, 0]) == 0
    assert float(run(m=[0, 0], v=[1e-3, -1e-3])) == pytest.approx(2 * 1e-6 / 4, rel=1e-3)
