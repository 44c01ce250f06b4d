"""Every op and random trainings on targets that are not this machine: the bits that it computes."""

from __future__ import annotations

import numpy as np
import pytest
from tests.conformance.harness import Backend, compiled_for, trials
from tests.other_targets import HereAs
from tests.trainings import digest, random_training

import chainrule as cr
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.wasm32 import WASM32
from chainc.ir import REGISTRY, Graph
from chainc.ir.types import DType, float32, float64

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif("x86_64" not in host().triple, reason="compares with SSE"),
]

HERE = HereAs("sse", WASM32)
WASM, SSE = (Backend(str(target), compiled_for(target, None), {}) for target in ("wasm", HERE))


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_ops_in_webassembly_have_the_bits_of_machine_code(name: str, dtype: DType) -> None:
    for trial in trials(name, dtype):
        graph = Graph((trial.node,))
        found, expected = (each.run(graph, trial.inputs, trial.states)[0] for each in (WASM, SSE))
        assert np.asarray(found).tobytes() == np.asarray(expected).tobytes()


@pytest.mark.parametrize("seed", range(20))
def test_trainings_in_webassembly_have_the_bits_of_machine_code(seed: int) -> None:
    case = random_training(seed)
    wasm, here = (cr.compile(case.declared, target=target) for target in ("wasm", HERE))
    start = wasm.initial_state()
    found, expected = (
        each.run(case.data, validation=case.validation, state=start) for each in (wasm, here)
    )
    assert digest(found.state) == digest(expected.state)
    assert found.history == expected.history
