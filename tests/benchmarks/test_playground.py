"""The race of the playground: both networks learn the same."""

from __future__ import annotations

import pytest
from tests.benchmarks import playground
from tests.browser import executable

pytest.importorskip("playwright.sync_api", reason="needs the extra [test]")


@pytest.mark.skipif(executable() is None, reason="needs Chromium")
def test_both_networks_are_the_same_after_an_epoch() -> None:
    found = playground.measured(rounds=1, epochs=1)
    assert found["apart"] < 1e-5
