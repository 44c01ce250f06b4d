"""Graphs of rarer forms, seed by seed: the reference, NumPy and machine code agree.

A seed stands for `GRAPHS` graphs. A run draws the first few, small; the nightly group draws those
of `--seeds first:last`, by default 10,000 graphs: make graphs SEEDS=0:200
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import hypothesis
import pytest
from hypothesis import Phase, assume, given, settings
from tests.conformance.harness import BACKENDS
from tests.graphs import Case, cases
from tests.jumps import at_a_jump
from tests.wide_graphs import WIDE

from chainc.interpreters import reference
from chainc.ir.types import DType, float32, float64

GRAPHS = 50  # a seed
DAILY = range(2)
BOUNDS: Mapping[DType, float] = {float32: 3e-5, float64: 1e-12}  # derivatives cancel


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    first, last = map(int, metafunc.config.getoption("--seeds").split(":"))
    nightly = "nightly" in metafunc.function.__name__
    metafunc.parametrize("seed", range(first, last) if nightly else DAILY)


def check(case: Case, dtype: DType) -> None:
    expected = reference.evaluate(case.graph, case.inputs, case.states).outputs
    for backend in (replace(each, tolerance=BOUNDS) for each in BACKENDS[1:]):
        results = backend.run(case.graph, case.inputs, case.states)
        for node, found, wanted in zip(case.graph.outputs, results, expected, strict=True):
            backend.check(node, dtype, found, wanted)


def draw(seed: int, steps: int) -> None:
    """Single precision for even seeds, double precision for odd ones."""
    dtype = float64 if seed % 2 else float32

    @hypothesis.seed(seed)
    @settings(
        max_examples=GRAPHS,
        derandomize=False,
        database=None,
        phases=[Phase.generate, Phase.shrink],
    )
    @given(case=cases(dtype=dtype, steps=WIDE, max_steps=steps))
    def agree(case: Case) -> None:
        assume(not at_a_jump(case.graph, case.inputs, case.states, BOUNDS[dtype]))
        check(case, dtype)

    agree()


def test_backends_agree(seed: int) -> None:
    draw(seed, 2)


@pytest.mark.nightly
def test_backends_agree_nightly(seed: int) -> None:
    draw(seed, 4)
