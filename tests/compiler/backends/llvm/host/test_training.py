"""The loop around a step: which rows it visits, what it records, how it ends."""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from tests.compiler.backends.llvm.visiting import (
    STREAM,
    noted,
    rows_of_data,
    starting_state,
    visiting,
)

from chainc.backends.epochs import Epochs
from chainc.backends.llvm.host import training as native_training
from chainc.backends.llvm.host.memory import RunMemory
from chainc.backends.llvm.host.training import NativeTraining, threads_for
from chainc.backends.llvm.machine_code.jit import compile_object, loaded
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.runtime.threads import clocked
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainc.ops.families.philox import permutation
from chainc.schedules.program import control_block

Floats = npt.NDArray[np.float64]


def never() -> bool:
    return False


def native(batch_size: int, *, shuffle: bool = True, threads: int = 1) -> NativeTraining:
    made = visiting(batch_size, shuffle)
    return NativeTraining(made.code, made.library, threads)


def batches(
    count: int, batch_size: int, epoch: int, *, shuffle: bool = True, seed: int = 5
) -> Sequence[npt.NDArray[np.int64]]:
    """The rows of each step of an epoch, as the NumPy target visits them."""
    order = permutation(count, STREAM, seed, epoch) if shuffle else np.arange(count)
    return [order[start : start + batch_size] for start in range(0, count, batch_size)]


def means(parts: Sequence[npt.NDArray[np.int64]], x: Array) -> Floats:
    """Of the three outputs over all rows, computed with one mean a batch in float32."""
    of_x = [np.mean(np.asarray(x[part], np.float32)) for part in parts]
    weights = [len(part) for part in parts]
    columns = [of_x, [part[0] for part in parts], [1 for _ in parts]]
    return np.array([np.average(np.array(c, np.float64), weights=weights) for c in columns])


def joined(epochs: Sequence[Epochs]) -> tuple[list[int], Floats]:
    seen = [int(each) for block in epochs for each in block.seen]
    return seen, np.concatenate([block.means for block in epochs]).astype(np.float64)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 4, 10, 64, 100])
@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9, 16, 17, 33, 64, 65, 257])
def test_the_rows_are_visited_in_the_order_of_the_numpy_target(
    count: int, batch_size: int, shuffle: bool, threads: int
) -> None:
    program, state = native(batch_size, shuffle=shuffle, threads=threads), starting_state()
    data, epochs = rows_of_data(count), 40 if count < 20 else 5
    seen, found = joined(list(program.run(data, None, state, epochs, never)))
    expected = [batches(count, batch_size, epoch, shuffle=shuffle) for epoch in range(epochs)]
    assert noted(state) == np.concatenate([row for parts in expected for row in parts]).tolist()
    assert seen == [count] * epochs
    np.testing.assert_allclose(found, [means(parts, data["x"]) for parts in expected], rtol=1e-6)
    assert int(state["step"]) == epochs * -(-count // batch_size)


@pytest.mark.parametrize("seed", [0, -1, 2**62 + 12345])
@pytest.mark.parametrize(("count", "first"), [(5000, 0), (5000, 2**32 + 3), (4, 2**32 - 2)])
def test_orders_depend_on_all_bits_of_seed_and_epoch(count: int, first: int, seed: int) -> None:
    epochs = 1 if count == 5000 else 20
    state = starting_state(step=first * -(-count // 64), seed=seed)
    list(native(64).run(rows_of_data(count), None, state, epochs, never))
    expected = [permutation(count, STREAM, seed, first + epoch) for epoch in range(epochs)]
    assert noted(state) == np.concatenate(expected).tolist()


def test_more_threads_than_cores_come_to_an_end() -> None:
    program, state = native(4, threads=5), starting_state()
    data = rows_of_data(17)
    list(program.run(data, data, state, 2, never))
    expected = [row for epoch in range(2) for row in batches(17, 4, epoch)]
    assert noted(state) == np.concatenate(expected).tolist()


@pytest.mark.parametrize(("count", "first"), [(50, 1), (50, 9), (50, 13), (7, 1), (7, 3), (3, 2)])
def test_a_run_goes_on_in_the_middle_of_an_epoch(count: int, first: int) -> None:
    data, steps = rows_of_data(count), -(-count // 4)
    state = starting_state(step=first)
    seen, found = joined(list(native(4).run(data, None, state, 2, never)))
    epoch, passed = divmod(first, steps)
    parts = [batches(count, 4, epoch)[passed:], batches(count, 4, epoch + 1)]
    assert noted(state) == np.concatenate([row for part in parts for row in part]).tolist()
    assert seen == [sum(map(len, part)) for part in parts]
    np.testing.assert_allclose(found, [means(part, data["x"]) for part in parts], rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("steps", "seen"), [(5, [20]), (13, [50]), (14, [50, 4])])
def test_a_run_that_is_stopped_records_the_rows_that_it_has_seen(
    steps: int, seen: list[int], threads: int
) -> None:
    data, state = rows_of_data(50), starting_state(stop_at=steps)
    blocks = list(native(4, threads=threads).run(data, data, state, 10, never))
    assert int(state["step"]) == steps
    assert joined(blocks)[0] == seen
    rows = np.concatenate([row for epoch in range(2) for row in batches(50, 4, epoch)])
    assert noted(state) == rows[: sum(seen)].tolist()
    validation = np.concatenate(
        [block.validation for block in blocks if block.validation is not None]
    )
    assert len(validation) == len(seen)


def test_many_epochs_leave_what_one_history_of_them_all_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, whole, parts = rows_of_data(50), starting_state(step=5), starting_state(step=5)
    expected = joined(list(native(4).run(data, data, whole, 5, never)))
    monkeypatch.setattr(native_training, "MOST_EPOCHS", 2)
    found = joined(list(native(4).run(data, data, parts, 5, never)))
    assert found[0] == expected[0]
    np.testing.assert_array_equal(found[1], expected[1])
    assert noted(parts) == noted(whole)
    stopped = starting_state()
    asked = iter([False] * 2)
    list(native(4).run(data, None, stopped, 1000, lambda: next(asked, True)))
    assert int(stopped["step"]) < 1000 * 13


def test_a_run_that_is_stopped_before_it_begins_does_nothing() -> None:
    state = starting_state()
    assert list(native(4).run(rows_of_data(50), None, state, 10, lambda: True)) == []
    assert int(state["step"]) == 0
    assert noted(state) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_is_stopped_while_it_goes_on(threads: int) -> None:
    state, asked = starting_state(), iter([False, False, True])
    program = native(4, threads=threads)
    list(program.run(rows_of_data(400), None, state, 10**6, lambda: next(asked, True)))
    assert 0 < int(state["step"]) < 10**8
    assert int(state["noted"]) == 4 * int(state["step"])


def test_a_short_evaluation_starts_a_thread_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    program, rows = native(4), rows_of_data(9)
    started: list[int] = []
    start = _thread.start_new_thread

    def noted_start(work: Callable[..., object], given: tuple[object, ...]) -> None:
        started.append(start(work, given))

    monkeypatch.setattr(_thread, "start_new_thread", noted_start)
    found = [program.evaluate(rows, starting_state()) for _ in range(3)]
    assert len(started) == 1
    np.testing.assert_array_equal(found[1:], found[:1] * 2)
    monkeypatch.setattr(native_training, "POLL_SECONDS", 0.0)  # as long as it may take
    program.evaluate(rows, starting_state())
    assert len(started) == 2


@pytest.mark.skipif(not clocked(host()), reason="no clock can be read")
def test_a_run_goes_on_with_what_the_last_knew_of_threads() -> None:
    program, trial = native(4, threads=2), control_block.TRIAL - control_block.PACE
    for known in (0, 1 << 20):  # steps of a trial, more than are found by measuring
        list(program.run(rows_of_data(50), None, starting_state(), 1, never))
        assert program.pace is not None
        words = program.pace.view(np.int64)
        assert words[trial // 8] > known
        words[trial // 8] = (1 << 20) + 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("count", "held_out"), [(50, 50), (50, 3), (4, 9), (4, 4)])
def test_validation_goes_through_its_rows_in_order_after_every_epoch(
    count: int, held_out: int, threads: int
) -> None:
    data, validation = rows_of_data(count), rows_of_data(held_out, seed=1)
    program, state = native(4, threads=threads), starting_state()
    found = list(program.run(data, validation, state, 6, never))
    expected = means(batches(held_out, 4, 0, shuffle=False), validation["x"])
    sums = np.concatenate([block.validation for block in found if block.validation is not None])
    np.testing.assert_allclose(sums.astype(np.float64), np.tile(expected, (6, 1)), rtol=1e-6)
    rows = [row for epoch in range(6) for row in batches(count, 4, epoch)]
    assert noted(state) == np.concatenate(rows).tolist()
    alone = program.evaluate(validation, starting_state()).astype(np.float64)
    np.testing.assert_allclose(alone, expected, rtol=1e-6)


@pytest.mark.parametrize("which", ["data", "validation", "both"])
def test_bytes_are_converted_while_they_are_gathered(which: str) -> None:
    data, validation = rows_of_data(50), rows_of_data(9, seed=1)
    as_floats = list(native(4).run(data, validation, starting_state(), 2, never))
    if which != "validation":
        data = {**data, "x": data["x"].astype(np.uint8)}
    if which != "data":
        validation = {**validation, "x": validation["x"].astype(np.uint8)}
    as_bytes = list(native(4).run(data, validation, starting_state(), 2, never))
    for floats, found in zip(as_floats, as_bytes, strict=True):
        np.testing.assert_array_equal(floats.means, found.means)
        assert floats.validation is not None
        np.testing.assert_array_equal(floats.validation, found.validation)


def test_floating_point_inputs_with_rows_may_be_bytes() -> None:
    assert list(native(4).byte_inputs) == ["x"]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("step", [3, 13, 20])
def test_a_failing_kernel_ends_the_run_after_its_step(step: int, threads: int) -> None:
    state = starting_state(fail_at=step)
    epochs: list[Epochs] = []
    with pytest.raises(InputError, match="out of range"):
        epochs.extend(native(4, threads=threads).run(rows_of_data(50), None, state, 3, never))
    assert int(state["step"]) == step


def test_arrays_that_are_not_laid_out_as_needed_are_copied_and_written_back() -> None:
    data, state = rows_of_data(50), starting_state()
    spread = np.full((2, len(state["log"])), -1, np.int32)
    space = np.zeros(8 * 50 + 1, np.uint8)
    misaligned = space[1 : 4 * 50 + 1].view(np.float32)
    misaligned[:] = data["x"]
    given: dict[str, Array] = {**data, "x": misaligned}
    strided: dict[str, Array] = {**state, "log": spread.T[:, 0]}
    list(native(4).run(given, None, strided, 1, never))
    assert noted(strided) == np.concatenate(batches(50, 4, 0)).tolist()


def run_in_a_thread(
    program: NativeTraining, data: Mapping[str, Array], state: dict[str, Array]
) -> threading.Thread:
    return threading.Thread(target=lambda: list(program.run(data, None, state, 200, never)))


def test_two_runs_of_the_same_code_at_once_do_not_meet() -> None:
    program = native(4)
    states = [starting_state(seed=seed) for seed in (1, 2)]
    threads = [run_in_a_thread(program, rows_of_data(9), state) for state in states]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for state, seed in zip(states, (1, 2), strict=True):
        rows = [row for epoch in range(200) for row in batches(9, 4, epoch, seed=seed)]
        assert noted(state) == np.concatenate(rows).tolist()


def each(consume: Callable[[Epochs], None], epochs: Iterable[Epochs]) -> None:
    for block in epochs:
        consume(block)


def threads_end(count: int) -> bool:
    """Until there are so many again; who waits for their work does not wait for their ends."""
    until = time.perf_counter() + 10
    while _thread._count() > count and time.perf_counter() < until:
        time.sleep(0.001)
    return _thread._count() == count


def test_a_consumer_that_leaves_stops_the_run_and_has_its_state() -> None:
    data, state, before = rows_of_data(400), starting_state(), _thread._count()

    def leave(_block: Epochs) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        each(leave, native(4, threads=2).run(data, None, state, 10**6, never))
    assert threads_end(before)
    assert 0 < int(state["step"]) < 10**8
    assert int(state["noted"]) == 4 * int(state["step"])


def test_an_error_while_asking_whether_to_stop_ends_the_threads() -> None:
    before, answers = _thread._count(), iter([False])
    with pytest.raises(RuntimeError):
        list(native(4).run(rows_of_data(50), None, starting_state(), 70, lambda: not next(answers)))
    assert threads_end(before)


def test_threads_that_cannot_all_be_started_do_not_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, before = _thread.start_new_thread, _thread._count()
    started: list[int] = []

    def limited(work: Callable[..., object], given: tuple[object, ...]) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(start(work, given))

    monkeypatch.setattr(_thread, "start_new_thread", limited)
    with pytest.raises(RuntimeError, match="new thread"):
        native(4, threads=2).evaluate(rows_of_data(50), starting_state())
    assert started
    assert threads_end(before)


def cores(count: int) -> Callable[[int], set[int]]:
    return lambda _process: set(range(count))


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the cores")
def test_threads_are_as_many_as_wanted_but_no_more_than_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", cores(3))
    assert [threads_for(wanted) for wanted in (None, 1, 2, 3, 4)] == [3, 1, 2, 3, 3]
    monkeypatch.setattr(os, "sched_getaffinity", cores(200))
    assert [threads_for(wanted) for wanted in (None, 128)] == [64, 64]


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the cores")
def test_threads_begin_on_cores_of_their_own_and_may_leave_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", cores(2))
    monkeypatch.setattr(os, "sched_setaffinity", lambda _process, where: asked.append(set(where)))
    before = _thread._count()
    native(4, threads=2).evaluate(rows_of_data(8), starting_state())
    assert [where for where in asked if len(where) == 1] in ([{0}, {1}], [{1}, {0}])
    assert asked[-1] == {0, 1}
    assert threads_end(before)
    asked.clear()
    list(native(4, threads=2).run(rows_of_data(8), None, starting_state(), 1, never))
    if clocked(host()):  # the first thread is the caller's, the other may come late
        end = time.monotonic() + 10
        while len(asked) < 2 and time.monotonic() < end:
            time.sleep(0.001)
        assert [len(where) for where in asked] == [1, 2]
    asked.clear()
    list(native(4, threads=1).run(rows_of_data(8), None, starting_state(), 1, never))
    assert asked == []


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the cores")
def test_a_sandbox_may_forbid_moving_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_process: int, _where: set[int]) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    state = starting_state()
    assert len(list(native(4, threads=2).run(rows_of_data(8), None, state, 1, never))) == 1


FLUSH = """\
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define void @exchange(ptr %word) {
  %before = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %before)
  call void @llvm.x86.sse.ldmxcsr(ptr %word)
  %old = load i32, ptr %before
  store i32 %old, ptr %word
  ret void
}
"""


@pytest.mark.skipif("x86_64" not in host().triple, reason="sets a register of x86")
@pytest.mark.parametrize("entry", ["train", "validate"])
def test_the_floating_point_environment_of_the_caller_is_left_alone(entry: str) -> None:
    library = loaded([compile_object(FLUSH, host())], ["exchange"])
    exchange = library.function("exchange", None, [ctypes.c_void_p])
    made, data = visiting(4, True), rows_of_data(8)
    memory = RunMemory(made.code, data, data, starting_state(), 1)
    memory.plan_steps(0, 1, 0)
    function = made.library.function(entry, None, native_training.JOB)
    word = ctypes.c_uint32(0x9FC0)  # subnormals are flushed and read as zero
    exchange(ctypes.addressof(word))
    function(*memory.addresses, memory.job.ctypes.data, 0, 1)
    exchange(ctypes.addressof(word))
    assert word.value == 0x9FC0
