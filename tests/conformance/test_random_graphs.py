"""Random graphs through every backend, with the passes and without, against the reference."""

import pytest
from hypothesis import given, settings
from tests.conformance.harness import BACKENDS, Backend
from tests.graphs import Case, cases

from chainc.interpreters import reference
from chainc.ir.types import DType, float32, float64

DAILY = 35  # graphs a test; the nightly group draws 10,000, of rarer forms too


def check(backend: Backend, dtype: DType, case: Case) -> None:
    expected = reference.evaluate(case.graph, case.inputs, case.states).outputs
    results = backend.run(case.graph, case.inputs, case.states)
    for node, found, wanted in zip(case.graph.outputs, results, expected, strict=True):
        backend.check(node, dtype, found, wanted)


@pytest.mark.parametrize("backend", BACKENDS[1:], ids=lambda backend: str(backend.name))
@settings(max_examples=DAILY)
@given(case=cases(dtype=float32))
def test_single_precision(backend: Backend, case: Case) -> None:
    check(backend, float32, case)


@pytest.mark.parametrize("backend", BACKENDS[1:], ids=lambda backend: str(backend.name))
@settings(max_examples=DAILY)
@given(case=cases(dtype=float64))
def test_double_precision(backend: Backend, case: Case) -> None:
    check(backend, float64, case)
