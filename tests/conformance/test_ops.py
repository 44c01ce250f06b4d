"""Every op of the registry, in every backend: values, shapes, element types, special values."""

import numpy as np
import pytest
from tests.conformance.expected import EXPECTED, IEEE
from tests.conformance.harness import BACKENDS, Backend, samples, trials

from chainc import ops
from chainc.interpreters import reference
from chainc.ir import REGISTRY, Graph, apply
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input
from chainc.ir.types import DType, TensorType, float32, float64, int32, static
from chainc.ops.elementwise import Elementwise

NAMES = sorted(REGISTRY)


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1e308, -1e308, 1.0, -2.5])


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


@pytest.fixture(params=[float32, float64], ids=str)
def dtype(request: pytest.FixtureRequest) -> DType:
    found: DType = request.param
    return found


@pytest.mark.parametrize("name", NAMES)
def test_results_are_those_of_the_reference_and_of_plain_numpy(
    backend: Backend, dtype: DType, name: str
) -> None:
    for trial in trials(name, dtype):
        found = backend.compute(trial.node, trial.inputs, trial.states)
        assert found.shape == static(trial.node.shape)
        result = reference.evaluate(Graph((trial.node,)), trial.inputs, trial.states)
        backend.check(trial.node, dtype, found, result.outputs[0])
        if name in EXPECTED:
            operands = [
                array.astype(np.float64) if array.dtype.kind == "f" else array
                for array in trial.arrays
            ]
            backend.check(trial.node, dtype, found, EXPECTED[name](trial.node.op, *operands))


@pytest.mark.parametrize("name", IEEE)
def test_special_values_pass_through_as_ieee_says(backend: Backend, name: str) -> None:
    op = samples(name)[0].op
    assert isinstance(op, Elementwise)
    arrays = [SPECIAL] if op.arity() == 1 else [SPECIAL[:, None], SPECIAL]
    operands = [
        apply(Input(str(position), TensorType(array.shape, float64)))
        for position, array in enumerate(arrays)
    ]
    inputs = {str(position): array for position, array in enumerate(arrays)}
    found = backend.compute(apply(op, *operands), inputs, {})
    with np.errstate(all="ignore"):
        expected = np.asarray(EXPECTED[name](op, *arrays))
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_the_callers_floating_point_environment_is_kept(backend: Backend) -> None:
    x = apply(Input("x", TensorType((2,), float64)))
    with np.errstate(all="raise"):
        before = np.geterr()
        found = backend.compute(ops.log(x) * ops.exp(x), {"x": np.array([0.0, 1e5])}, {})
        assert np.geterr() == before
    assert found.tolist() == [-np.inf, np.inf]


@pytest.mark.parametrize("index", [-1, 3, 2**31 - 1])
def test_indices_out_of_range_are_refused(backend: Backend, index: int) -> None:
    x = apply(Input("x", TensorType((3,), float32)))
    indices = apply(Input("i", TensorType((2,), int32)))
    values = {"x": np.zeros(3, np.float32), "i": np.array([0, index], np.int32)}
    for node in (ops.take(x, indices), ops.scatter_add(x, indices, x[:2]),
                 ops.one_hot(indices, 3) * x):  # fmt: skip
        with pytest.raises(InputError, match=f"index {index}.* out of range"):
            backend.compute(node, values, {})


def test_every_expectation_is_of_an_op() -> None:
    assert EXPECTED.keys() <= REGISTRY.keys()
    assert set(IEEE) <= EXPECTED.keys()
