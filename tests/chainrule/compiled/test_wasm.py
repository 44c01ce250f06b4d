"""WebAssembly as a target: the bits of machine code that rounds products and sums apart."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tests.other_targets import HereAs

import chainrule as cr
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.wasm32 import WASM32
from chainc.backends.llvm.wasm import running
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule import losses, metrics, nn, optim

pytestmark = pytest.mark.skipif("x86_64" not in host().triple, reason="compares with SSE")

HERE = HereAs("sse", WASM32)
ROWS = 11


@cache
def declared() -> cr.Training:
    """5-6-3 in shuffled batches of 4, with an exponential and slots, for two epochs."""
    x, y = cr.input("x", ("batch", 5)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Linear(6, 3)(cr.tanh(nn.Linear(5, 6)(x)))
    step = optim.Adam(lr=0.1).minimize(losses.cross_entropy(logits, y))
    measured = {"accuracy": metrics.accuracy(logits, y)}
    return cr.training(step, epochs=2, batch_size=4, metrics=measured)


@cache
def program() -> cr.TrainingProgram:
    return cr.compile(declared(), target="wasm")


@cache
def here() -> cr.TrainingProgram:
    return cr.compile(declared(), target=HERE)


def data(rows: int = ROWS) -> dict[str, Array]:
    rng = np.random.default_rng(rows)
    x = rng.standard_normal((rows, 5)).astype(np.float32)
    return {"x": x, "y": rng.integers(0, 3, rows).astype(np.int32)}


def same(found: cr.State, expected: cr.State) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].tobytes() == value.tobytes(), name


def test_a_training_leaves_the_bits_of_machine_code() -> None:
    found = program().run(data(), validation=data(5), progress=False)
    expected = here().run(data(), validation=data(5), progress=False)
    same(found.state, expected.state)
    assert found.history == expected.history
    assert program().evaluate(data(), found.state) == here().evaluate(data(), found.state)


def test_a_state_of_one_target_is_continued_by_another() -> None:
    whole = program().run(data(), progress=False).state
    first = here().run(data(), progress=False, epochs=1).state
    same(program().run(data(), state=first, progress=False, epochs=1).state, whole)


def test_a_function_gives_the_bits_of_machine_code_for_any_number_of_rows() -> None:
    x = cr.input("x", ("batch", 5))
    large = cr.constant(np.linspace(-1, 1, 5 * 300, dtype=np.float32).reshape(5, 300))
    y = cr.softmax(x @ large + cr.exp(cr.sum(x)), axis=-1)
    found, expected = (cr.compile(y, target=target) for target in ("wasm", HERE))
    for rows in (1, 3, 300):
        given = data(rows)["x"]
        assert found(x=given).tobytes() == expected(x=given).tobytes()


def test_a_function_changes_its_state() -> None:
    weight = cr.parameter("w", (), 1.0)
    graph = cr.Graph((weight * 2,), {weight: weight + 1})
    state = cr.State({"w": np.float32(1)})
    function = cr.compile(graph, target="wasm").bind(state)
    assert [float(function()[0]) for _ in range(3)] == [2.0, 4.0, 6.0]


def test_an_index_out_of_range_is_an_error() -> None:
    table, i = cr.constant(np.arange(4.0)), cr.input("i", (2,), "int32")
    function = cr.compile(cr.take(table, i + 3, axis=0), target="wasm")
    np.testing.assert_array_equal(function(i=np.array([0, -1], np.int32)), [3, 2])
    with pytest.raises(cr.ChainruleError, match="out of range"):
        function(i=np.array([0, 1], np.int32))


def test_a_run_ends_soon_after_it_is_to_stop() -> None:
    asked: list[int] = []
    values = {name: np.array(array) for name, array in program().initial_state().items()}
    runner = program()._compiled.executable.runner

    def stop() -> bool:
        asked.append(len(asked))
        return len(asked) > 3

    rows = program()._check(data(), {})
    finished = sum(len(each.seen) for each in runner.run(rows, None, values, 10**6, stop))
    assert 0 < int(values["step"]) < 3 * 10**6
    assert finished < 10**6


def test_what_there_is_to_see_is_for_webassembly() -> None:
    figures = program()._generated().figures
    assert (figures.processor, figures.vector_bits) == ("generic", 128)
    function = cr.compile(cr.exp(cr.input("x", (8,))), target="wasm")
    assert "f32x4.mul" in function.assembly


def test_more_memory_than_there_is_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MOST_BYTES", 1 << 17)
    rows = data(8000)
    with pytest.raises(InputError, match=r"more than 131,072 bytes.*\n.*\n  try: give fewer rows"):
        program().run(rows, progress=False)
