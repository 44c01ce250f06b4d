"""One playground for all of its tests, and one page of it for those that each choose all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.browser import watching
from tests.chainrule.playgrounds.opening import Opened

import chainrule as cr

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cr.playground(path=tmp_path_factory.mktemp("playground") / "playground.html")


@pytest.fixture(scope="module")
def shared(chromium: Browser, file: Path) -> Iterator[Opened]:
    """One page for tests that each choose all of it."""
    with watching(chromium) as watch:
        yield Opened(watch.open(file))
