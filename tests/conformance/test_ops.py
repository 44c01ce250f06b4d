"""Every op of the registry, in every backend: values, shapes, element types, special values."""

import numpy as np
import pytest
from chainc import ops
from chainc.ir import REGISTRY, Graph
from chainc.ops.elementwise import Elementwise
from chainc.ops.state import constant
from chainc.types import DType, float32, float64, static
from tests.conformance.expected import EXPECTED, IEEE
from tests.conformance.harness import BACKENDS, Backend, Trial, samples, trials

NAMES = sorted(REGISTRY)


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


def run(backend: Backend, trial: Trial) -> np.typing.NDArray[np.generic]:
    (result,) = backend.run(Graph((trial.node,)), trial.inputs, trial.states)
    return result
