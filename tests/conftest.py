"""What all tests share: golden files, how hypothesis draws, and threads."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.browser"]

# One process a core runs the tests: further threads of NumPy's products would wait in turns. NumPy
# reads this when it is imported, here and in the processes that tests start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

TESTS = Path(__file__).parent
GOLDEN = TESTS / "golden"

# slow groups, by the folder of their tests; those in a browser ask for its fixture
GROUPS = {"benchmarks": "benchmarks", "conformance": "conformance", "docs": "documents"}

# the same cases in every run, however slow the machine
settings.register_profile(
    "chainrule",
    max_examples=60,  # the nightly group draws many more
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("chainrule")

gc.disable()  # while tests are collected there is no garbage, but ever more that is no garbage


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the tests got into tests/golden, to be reviewed and committed",
    )
    parser.addoption(
        "--seeds",
        default="0:200",
        help="first:last, of the random graphs of the nightly group, 50 graphs a seed",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in GROUPS:
            item.add_marker(GROUPS[folder])
        if isinstance(item, pytest.Function) and "chromium" in item.fixturenames:
            item.add_marker("browser")


def pytest_collection_finish() -> None:
    """What was collected stays to the end: nothing has to look through it again."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with the golden file of a name."""

    def check(name: str, text: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.exists(), f"{file} is missing: run pytest --update-golden, and review it"
        assert text == file.read_text(encoding="utf-8")

    return check
