"""Each example is run once for all of its tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from io import StringIO

import pytest
from tests.examples.running import Run, run


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Runs an example; one that has run before is not run again."""

    @cache
    def run_once(name: str) -> Run:
        folder = tmp_path_factory.mktemp(name)
        with redirect_stdout(StringIO()) as printed:
            results = run(name, folder)
        return Run(results, printed.getvalue(), folder)

    return run_once
