"""The race of the playground: both networks learn the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import playground

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_both_networks_are_the_same_after_an_epoch(chromium: Browser) -> None:
    found = playground.measured(chromium, rounds=1, epochs=1)
    assert found["apart"] < 1e-5
