"""The functions of an exported library, called from here."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt
import pytest
from tests.exported import (
    BAD_ARENA,
    BAD_ARGUMENT,
    BAD_INDEX,
    BATCH,
    CC,
    EPOCHS,
    OK,
    SEED,
    Exported,
    Library,
    data,
    data_struct,
    data_words,
    exported_digits,
    job_struct,
    struct_of,
)

import chainrule as cr
from chainc.ir.types import Array

Doubles = npt.NDArray[np.float64]


@pytest.fixture(scope="module", params=["llvm", pytest.param("c", marks=pytest.mark.nightly)])
def digits(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    if CC is None:
        pytest.skip("there is no C compiler")
    return exported_digits(tmp_path_factory.mktemp("exported"), request.param)


def test_the_version_is_that_of_the_header(digits: Exported) -> None:
    version = Library(digits).api.digits_version().decode()
    assert f'#define DIGITS_VERSION "{version}"' in (digits.folder / "digits.h").read_text()


def test_initial_values_are_those_of_the_program(digits: Exported) -> None:
    for seed in (5, 2**40):
        library = Library(digits, seed)
        assert library.state() == digits.state_bytes(digits.program.initial_state(seed))


def test_steps_evaluation_and_prediction_agree_with_the_program(digits: Exported) -> None:
    library, batch = Library(digits), data(20, 3)
    start = digits.program.initial_state()
    before, outputs = digits.program.evaluate(batch, start), np.zeros(2)
    assert library.call("evaluate", data_struct(batch), outputs) == OK
    assert outputs.tolist() == list(before.values())
    assert library.state() == digits.state_bytes(start)
    values = np.zeros((20, 10), np.float32)
    assert library.call("predict", batch["x"], ctypes.c_int64(20), values) == OK
    expected = logits_of(batch["x"], start)
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=1e-5)
    assert library.call("step", data_struct(batch), outputs) == OK
    np.testing.assert_allclose(outputs, list(before.values()), rtol=1e-6)
    velocity = np.asarray(library.get("SGD_VELOCITY_MODEL_LINEAR2_BIAS", (10,)), np.float64)
    np.testing.assert_allclose(velocity, bias_gradient(expected, batch["y"]), rtol=1e-4, atol=1e-6)
    assert library.get("STEP", (), "int64") == 1


def logits_of(given: Array, state: cr.State) -> Doubles:
    arrays = {name: np.asarray(value, np.float64) for name, value in state.items()}
    x = np.asarray(given, np.float64)
    hidden = np.maximum(x @ arrays["model/linear1/weight"] + arrays["model/linear1/bias"], 0)
    return np.asarray(hidden @ arrays["model/linear2/weight"] + arrays["model/linear2/bias"])


def bias_gradient(logits: Doubles, labels: Array) -> Doubles:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax = powers / powers.sum(axis=1, keepdims=True)
    hits = np.asarray(labels)[:, None] == np.arange(10)
    return np.asarray((softmax - hits).mean(axis=0))


def test_more_rows_than_a_batch_are_predicted_in_parts(digits: Exported) -> None:
    library, rows = Library(digits), data(3 * BATCH + 5, 4)["x"]
    values = np.full((len(rows) + 1, 10), np.nan, np.float32)
    assert library.call("predict", rows, ctypes.c_int64(len(rows)), values) == OK
    expected = logits_of(rows, digits.program.initial_state())
    np.testing.assert_allclose(values[:-1], expected, rtol=2e-5, atol=1e-5)
    assert np.isnan(values[-1]).all()


def test_a_tensor_that_is_set_is_what_get_gives(digits: Exported) -> None:
    library = Library(digits)
    weight = np.random.default_rng(6).standard_normal((32, 10)).astype(np.float32)
    assert library.call("set", digits.tensor("MODEL_LINEAR2_WEIGHT"), weight) == OK
    np.testing.assert_array_equal(library.get("MODEL_LINEAR2_WEIGHT", (32, 10)), weight)
    start = digits.program.initial_state()
    np.testing.assert_array_equal(
        library.get("MODEL_LINEAR1_WEIGHT", (64, 32)), start["model/linear1/weight"]
    )


def test_hyperparameters_are_set_like_tensors(digits: Exported) -> None:
    library, training, history = Library(digits), data(), np.zeros((4, 6))
    assert library.get("LR") == np.float32(0.1)
    library.call("set", digits.tensor("LR"), np.array(0.02, np.float32))
    assert library.call("train", job_struct(training, 2, history)) == OK
    result = digits.program.run(training, epochs=2, lr=0.02, progress=False)
    assert library.state()[:-8] == digits.state_bytes(result.state)[:-8]


def test_threads_leave_the_same_bits_as_one(digits: Exported) -> None:
    alone, together, training = Library(digits), Library(digits), data()
    history = np.zeros((2, EPOCHS + 1, 6))
    assert alone.call("train", job_struct(training, EPOCHS, history[0])) == OK
    for _ in range(2):  # the arena serves another number of threads after a run
        together.call("init", ctypes.c_int64(5))
        job = job_struct(training, EPOCHS, history[1])
        assert together.call("begin", job) == OK
        assert together.train_together(job) == [OK, OK]
        assert together.call("records") == EPOCHS
        assert together.state() == alone.state()
        np.testing.assert_array_equal(history[1], history[0])


def test_a_training_that_was_stopped_goes_on_where_it_was(digits: Exported) -> None:
    library, training, history = Library(digits), data(2 * BATCH), np.zeros((3, 6))
    job = job_struct(training, 2, history)
    assert library.call("begin", job) == OK
    library.call("stop")
    assert library.call("train_thread", job, ctypes.c_int64(0), ctypes.c_int64(1)) == OK
    assert library.call("records") == 0
    assert library.state() == digits.state_bytes(digits.program.initial_state())
    assert library.call("train", job) == OK
    result = digits.program.run(training, epochs=2, progress=False)
    assert library.state() == digits.state_bytes(result.state)
    assert history[:2, 0].tolist() == [2 * BATCH] * 2


def test_a_training_without_validation_reports_none(digits: Exported) -> None:
    library, training, history = Library(digits), data(), np.ones((2, 6))
    assert library.call("evaluate", data_struct(data(7)), np.zeros(2)) == OK
    assert library.call("train", job_struct(training, 1, history)) == OK
    assert history[0, 3:].tolist() == [0, 0, 0]


def test_the_arena_may_be_moved(digits: Exported) -> None:
    first, second, training = Library(digits), Library(digits), data()
    history = np.zeros((EPOCHS + 1, 6))
    first.call("train", job_struct(training, 1, history))
    second.arena[:] = first.arena
    second.call("train", job_struct(training, 2, history))
    result = digits.program.run(training, epochs=3, progress=False)
    assert second.state() == digits.state_bytes(result.state)


def test_what_cannot_be_is_refused_and_changes_nothing(digits: Exported) -> None:
    library, number, numbers = Library(digits), ctypes.c_int64, np.zeros(6 * (BATCH + 1))
    good, more = data(BATCH), data(BATCH + 1)
    wrong = {label: {**good, "y": labelled(good["y"], label)} for label in (10, -1)}
    words, before = data_words(good), library.arena.tobytes()
    refused = [
        *(("step", struct_of([*words[:i], 0, *words[i + 1 :]]), numbers) for i in range(3)),
        ("step", struct_of([*words[:3], 2]), numbers),
        ("step", data_struct(more), numbers),
        ("step", data_struct(good), None),
        ("step", None, numbers),
        ("evaluate", struct_of([2**32 + 1, *words[1:]]), numbers),
        ("evaluate", data_struct(good), None),
        ("train", job_struct(good, 0, numbers)),
        ("train", job_struct(good, 2**31 + 1, numbers)),
        ("train", struct_of([*words, 0, 0, 0, 0, 1, 0])),
        ("train", struct_of([*words, -1, *words[1:], 1, numbers.ctypes.data])),
        ("train", None),
        ("train_thread", job_struct(good, 1, numbers), number(0), number(0)),
        ("train_thread", job_struct(good, 1, numbers), number(0), number(65)),
        ("train_thread", job_struct(good, 1, numbers), number(2), number(2)),
        ("train_thread", job_struct(good, 1, numbers), number(-1), number(2)),
        ("predict", good["x"], number(0), numbers),
        ("predict", None, number(1), numbers),
        ("predict", good["x"], number(1), None),
        ("get", -1, numbers),
        ("get", 12, numbers),
        ("set", 0, None),
    ]
    for function, *arguments in refused:
        assert library.call(str(function), *arguments) == BAD_ARGUMENT, (function, arguments)
    for rows in wrong.values():
        assert library.call("step", data_struct(rows), numbers) == BAD_INDEX
        assert library.call("evaluate", data_struct(rows), numbers) == BAD_INDEX
        assert library.call("train", job_struct(rows, 1, numbers)) == BAD_INDEX
        held_out = [*words, *data_words(rows), 1, numbers.ctypes.data]
        assert library.call("train", struct_of(held_out)) == BAD_INDEX
    assert library.arena.tobytes() == before
    assert not numbers.any()


def labelled(labels: Array, wrong: int) -> Array:
    return np.where(np.arange(len(labels)) == 7, wrong, labels).astype(np.int32)


def test_an_arena_that_was_not_prepared_is_refused(digits: Exported) -> None:
    library, outputs = Library(digits, seed=None), np.zeros(2)
    batch = data_struct(data(4))
    assert library.call("step", batch, outputs) == BAD_ARENA
    assert library.call_with(library.arena[8:], "init", ctypes.c_int64(SEED)) == BAD_ARGUMENT
    assert library.call_with(None, "init", ctypes.c_int64(SEED)) == BAD_ARGUMENT
    assert library.call_with(None, "step", batch, outputs) == BAD_ARGUMENT
    assert set(library.arena.tolist()) == {0xA5}
