"""A page of two networks against each other: both trained in it, points made and judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.accessibility import faint_text
from tests.chainrule.playgrounds.lessons.page import numbers, opened, settle, shown

import chainrule as cr
from chainrule import datasets, losses, nn, optim

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

RING = datasets.gaussians_on_ring(320)
Networks = tuple[nn.Module, nn.Module]


@pytest.fixture(scope="module")
def networks() -> Networks:
    return nn.MLP(3, 8, 2, name="generator"), nn.MLP(2, 8, 1, name="discriminator")


@pytest.fixture(scope="module")
def training(networks: Networks) -> cr.Training:
    generator, discriminator = networks
    real = cr.input("real", ("batch", 2))
    fake = generator(cr.normal(("batch", 3)))
    held = discriminator(cr.stop_gradient(fake))
    told = losses.gan.discriminator(discriminator(real), held)
    passed = losses.gan.generator(discriminator(fake))
    adam = optim.Adam(0.01)
    d = adam.minimize(told, discriminator.parameters())
    g = adam.minimize(passed, generator.parameters())
    return cr.training([d, g], epochs=2, batch_size=64)


@pytest.fixture(scope="module")
def result(training: cr.Training) -> cr.Result:
    return cr.compile(training, target="numpy").run({"real": RING.train.x}, progress=False)


@pytest.fixture(scope="module")
def page(
    networks: Networks, training: cr.Training, result: cr.Result, chromium: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Page]:  # fmt: skip
    path = tmp_path_factory.mktemp("lesson") / "lesson.html"
    cr.lesson("Ring", networks, training, data=RING, result=result, path=path)
    with opened(chromium, path, width=360, height=740, dark=True) as made:
        yield made


def test_both_are_trained_as_in_this_process(page: Page, result: cr.Result) -> None:
    page.click("#reset")
    for epoch in range(2):
        page.click("#step")
        settle(page)
        assert shown(page, "#train-loss") == pytest.approx(
            result.history["d_loss"][epoch], rel=1e-3
        )
        assert shown(page, "#test-loss") == pytest.approx(result.history["g_loss"][epoch], rel=1e-3)
    page.click("#trained")
    settle(page)
    assert page.inner_text("#train-loss") == "–"
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert faint_text(page) == []


def test_points_are_made_and_every_place_is_judged(
    page: Page, networks: Networks, result: cr.Result
) -> None:
    page.click("#trained")
    settle(page)
    generator, discriminator = networks
    seed, places = cr.input("seed", (), "int64"), cr.input("places", ("batch", 2))
    made = generator(cr.normal((400, 3), seed, stream="made"))
    wanted = cr.compile(made, target="numpy").bind(result.state)(seed=1)
    found = numbers(page, "frame.results.made[0].points.values").reshape(400, 2)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    judge = cr.compile(cr.sigmoid(discriminator(places)), target="numpy").bind(result.state)
    grid = numbers(page, "places").reshape(-1, 2)
    shares = numbers(page, "frame.results.judged[0].shares.values")
    np.testing.assert_allclose(shares, judge(places=grid)[:, 0], atol=1e-4)
    assert grid[0, 0] < RING.train.x[:, 0].min()
    assert grid[0, 1] > RING.train.x[:, 1].max()
    page.click("#again")
    settle(page)
    other = numbers(page, "frame.results.made[0].points.values").reshape(400, 2)
    assert not np.array_equal(found, other)


def test_what_does_not_fit_is_refused(
    networks: Networks, training: cr.Training, tmp_path: Path
) -> None:
    path, (generator, discriminator) = tmp_path / "no.html", networks
    wide = datasets.digits()
    vague: Any = nn.Sequential(nn.Tanh())
    wrong: Sequence[tuple[Any, Any, str]] = (
        ((generator,), RING, "are no two networks"),
        ((generator, nn.Linear(2, 3)), RING, "the generator gives"),
        ((vague, discriminator), RING, "how much noise"),
        ((generator, discriminator), wide, "of points in the plane"),
    )
    for given, data, error in wrong:
        with pytest.raises(cr.InputError, match=rf"lesson: .*{error}.*\n.*\n  try: "):
            cr.lesson("t", given, training, data=data, path=path)
    assert not path.exists()
