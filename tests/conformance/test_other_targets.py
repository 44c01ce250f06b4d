"""Every op, random graphs and trainings where another machine runs them: the bits of this one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from tests.conformance.harness import ROUNDING, Backend, compiled_for, trials
from tests.conformance.together import ALL, FIRST, Together, ops_together, special_values
from tests.emulated import EMULATORS, Emulated, need_emulated
from tests.graphs import Case, cases
from tests.other_targets import HereAs, Relaxed
from tests.trainings import digest, random_training

import chainrule as cr
from chainc.backends.llvm.processors.by_name import processor_named
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.wasm32 import WASM32
from chainc.backends.target import Target
from chainc.interpreters import reference
from chainc.ir import REGISTRY, Graph
from chainc.ir.types import DType, float32, float64

pytestmark = pytest.mark.skipif("x86_64" not in host().triple, reason="compares with SSE")

NAMES = sorted(REGISTRY)
GROUPS = [NAMES[start : start + 20] for start in range(0, len(NAMES), 20)]
TARGETS = ["wasm", *EMULATORS]
DAILY = ["aarch64", "riscv64", "cortex-m4", "x86-64"]


def both(name: str) -> tuple[str | Target, HereAs]:
    """A target, and this processor with the vectors and registers of it."""
    if name == "wasm":
        return name, HereAs(name, WASM32)
    need_emulated(name)
    return Emulated(name), HereAs(name, processor_named(name))


def skip_without(name: str, dtype: DType) -> None:
    if name == "cortex-m4" and dtype == float64:
        pytest.skip("programs with 64-bit numbers are refused for a board")


@pytest.mark.parametrize("name", DAILY)
def test_some_ops_have_the_bits_of_machine_code_here(name: str) -> None:
    """Each op is tried on one of the processors."""
    ops_together(NAMES[DAILY.index(name) :: len(DAILY)], float32, FIRST).check(*both(name))


@pytest.mark.nightly
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("name", TARGETS)
def test_ops_have_the_bits_of_machine_code_here(
    name: str, dtype: DType, names: Sequence[str]
) -> None:
    skip_without(name, dtype)
    ops_together(names, dtype, ALL).check(*both(name))


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("op", NAMES)
def test_ops_in_relaxed_webassembly_are_those_of_the_reference(op: str, dtype: DType) -> None:
    """Which sums it rounds once is the affair of the engine."""
    relaxed = Backend("relaxed", compiled_for(Relaxed(), None), ROUNDING)
    for trial in trials(op, dtype):
        graph = Graph((trial.node,))
        (found,) = relaxed.run(graph, trial.inputs, trial.states)
        (wanted,) = reference.evaluate(graph, trial.inputs, trial.states).outputs
        relaxed.check(trial.node, dtype, found, wanted)


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("name", TARGETS)
def test_special_values_are_those_of_machine_code_here(name: str, dtype: DType) -> None:
    skip_without(name, dtype)
    special_values(dtype).check(*both(name))


@pytest.mark.nightly
@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=50)
@given(case=cases(dtype=float32))
def test_random_graphs_have_the_bits_of_machine_code_here(name: str, case: Case) -> None:
    Together(case.graph, case.inputs, case.states).check(*both(name))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", TARGETS)
def test_trainings_have_the_bits_of_machine_code_here(name: str, seed: int) -> None:
    case = random_training(seed)
    if case.data["x"].dtype == np.float64:
        skip_without(name, float64)
    there, here = (cr.compile(case.declared, target=target) for target in both(name))
    start = there.initial_state()
    found, expected = (
        each.run(case.data, validation=case.validation, state=start) for each in (there, here)
    )
    assert digest(found.state) == digest(expected.state)
    assert found.history == expected.history
