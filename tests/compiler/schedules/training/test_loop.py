"""The training loop, interpreted: no backend has a part in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
from tests.compiler.backends.llvm.visiting import (
    STREAM,
    HandMade,
    hand_made,
    noted,
    rows_of_data,
    starting_state,
    visiting,
)
from tests.interpreter import Pointers, interpret_routine
from tests.native import aligned

from chainc.backends.llvm.host.training import NativeTraining
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainc.loops.routine_text import print_routine
from chainc.ops.families.philox import permutation
from chainc.schedules.program import control_block
from chainc.schedules.training import layout as words
from chainc.schedules.training import pace

Arrays = Mapping[str, Array]
PACE = ("STAGE", "TRIAL", "TICKS_ALONE", "KEPT", "STRETCH", "LEFT")
STEP = 1 << 17  # ticks: two steps are enough to compare


def run(
    code: HandMade,
    data: Arrays,
    validation: Arrays | None,
    state: Arrays,
    epochs: int,
    threads: int,
    waiting: int = 0,
    since: int = 0,
    late: int | None = None,
    takes: int = STEP,
    follows: float = 0.0,
) -> tuple[Array, Array]:
    """The history and the control block after a run; the state is changed.

    By the clock a step takes so many ticks, and each waiting of threads so many more, after the
    first steps; and the step that is `late` takes as long as six. After each waiting, all threads
    but the first are so many seconds behind.
    """
    history = np.zeros((epochs, code.layout.columns))
    held_out = data if validation is None else validation
    named = {**{f"data/{key}": array for key, array in data.items()},
             **{f"validation/{key}": array for key, array in held_out.items()},
             **state, "history": history}  # fmt: skip
    table = Pointers(named[name] for name in code.table)
    arena = aligned(np.zeros(code.memory.arena_bytes, np.uint8))
    count = len(data["y"])
    steps = -(-count // code.layout.batch_size)
    job = np.zeros(words.JOB_WORDS, np.int64)
    job[words.COUNT], job[words.SEED] = count, int(state["seed"])
    job[words.FIRST] = int(state["step"])
    job[words.LAST] = (int(state["step"]) // steps + epochs) * steps
    job[words.HELD_OUT] = 0 if validation is None else len(validation["y"])
    job[words.BYTES] = data["x"].dtype == np.uint8
    job[words.HELD_OUT_BYTES] = held_out["x"].dtype == np.uint8
    control = arena[: control_block.CONTROL_BYTES].view(np.int64)
    meeting = threading.Barrier(threads)
    met = [0] * threads

    def waits(thread: int) -> None:
        met[thread] += int(control[control_block.STEPS // 8]) >= since
        meeting.wait(10)
        if thread and follows:
            time.sleep(follows)

    def clock() -> int:
        done = int(control[control_block.STEPS // 8])
        delay = 5 if late is not None and done > late else 0
        return (done + delay) * takes + met[0] * waiting

    interpret_routine(code.bind, [arena, table, 0, 0, 1])
    team = [
        threading.Thread(
            target=interpret_routine,
            args=(
                code.loop.train,
                [arena, table, job, thread, threads],
                partial(waits, thread),
                clock,
            ),
        )
        for thread in range(threads)
    ]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    interpret_routine(code.store, [arena, table, 0, 0, 1])
    return history, control


def test_the_loop_as_text(golden: Callable[[str, str], None]) -> None:
    routines = hand_made(4, True).loop
    parts = (routines.train, routines.steps, routines.record, routines.evaluate_all)
    golden("training.loops", "".join(print_routine(each, {}) for each in parts))


def visited(count: int, epochs: int, *, shuffle: bool) -> Sequence[int]:
    orders = [
        permutation(count, STREAM, 5, epoch) if shuffle else np.arange(count)
        for epoch in range(epochs)
    ]
    found: list[int] = np.concatenate(orders).tolist()
    return found


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("count", "batch_size", "epochs"), [(3, 4, 20), (17, 4, 3), (70, 33, 2)])
def test_rows_are_visited_epoch_by_epoch(
    count: int, batch_size: int, epochs: int, shuffle: bool, threads: int
) -> None:
    state, data = starting_state(), rows_of_data(count)
    history, control = run(hand_made(batch_size, shuffle), data, None, state, epochs, threads)
    assert noted(state) == visited(count, epochs, shuffle=shuffle)
    assert control[control_block.EPOCHS // 8] == epochs
    assert control[control_block.STEPS // 8] == epochs * -(-count // batch_size)
    assert history[:, 0].tolist() == [count] * epochs


@pytest.mark.parametrize(("waiting", "together"), [(-1, True), (0, True), (1, False)])
def test_steps_are_done_by_as_many_threads_as_are_quickest(waiting: int, together: bool) -> None:
    state, data = starting_state(), rows_of_data(70)
    _, control = run(hand_made(7, True), data, None, state, 12, 2, waiting)
    assert noted(state) == visited(70, 12, shuffle=True)
    found = {word: control[getattr(control_block, word) // 8] for word in PACE}
    alone = 1 + 3 + 3 * 2  # to become warm, trials that are too short, others
    chosen = 120 - 1 - alone - 2 - 3 * 2  # after as many together
    stretch = pace.FIRST_STRETCH
    if not together:  # which is soon compared again
        chosen -= 2 * pace.FIRST_ALONE + 2 * (2 + 3 * 2)
        stretch = pace.FIRST_ALONE * pace.GROWTH
    assert found == {"STAGE": pace.CHOSEN, "TRIAL": 2, "TICKS_ALONE": 2 * STEP, "KEPT": together,
                     "STRETCH": stretch, "LEFT": 2 * stretch - chosen}  # fmt: skip
    ticks = control[control_block.LEAST // 8] - 2 * STEP
    assert (ticks != 0) == (together and waiting != 0)


def test_long_steps_are_shared_before_they_are_compared() -> None:
    state, data = starting_state(), rows_of_data(70)
    _, control = run(hand_made(7, True), data, None, state, 12, 2, takes=pace.LONG)
    assert noted(state) == visited(70, 12, shuffle=True)
    assert control[control_block.KEPT // 8] == 1
    assert control[control_block.STAGE // 8] == pace.CHOSEN
    assert control[control_block.LEFT // 8] == pace.FIRST_STRETCH - 119


@pytest.mark.parametrize(("waiting", "lost"), [(1, False), (pace.LONG, True)])
def test_one_goes_on_when_long_steps_take_more_than_half_as_long_again(
    waiting: int, lost: bool
) -> None:
    state, data = starting_state(), rows_of_data(70)
    _, control = run(hand_made(7, True), data, None, state, 12, 2, waiting, 41, takes=pace.LONG)
    assert noted(state) == visited(70, 12, shuffle=True)
    assert (control[control_block.TICKS_ALONE // 8] != pace.NONE) == lost
    assert (control[control_block.AGAIN // 8] != 0) == lost
    assert (control[control_block.BALANCE // 8] == 0) == lost
    assert (control[control_block.PENALTY // 8] > pace.LEAST_PENALTY) == lost


@pytest.mark.parametrize("stop_at", [1, 2, 19, 20])
def test_a_stop_that_one_alone_sees_first_stops_nobody_else(stop_at: int) -> None:
    """The first thread goes on alone after steps on all, while the others are not yet back."""
    state, data = starting_state(stop_at=stop_at), rows_of_data(70)
    _, control = run(hand_made(7, True), data, data, state, 3, 2, 1, follows=0.01)
    assert control[control_block.STEPS // 8] == stop_at


@pytest.mark.parametrize("late", [2, 5, 7, 13])
@pytest.mark.parametrize(("waiting", "together"), [(1, False), (-1, True)])
def test_one_late_step_chooses_nothing(late: int, waiting: int, together: bool) -> None:
    """In a trial of one thread and in one of all: who is quicker in the others is chosen."""
    state, data = starting_state(), rows_of_data(70)
    _, control = run(hand_made(7, True), data, None, state, 12, 2, waiting, late=late)
    assert control[control_block.TICKS_ALONE // 8] == 2 * STEP
    assert control[control_block.KEPT // 8] == together


def test_when_all_threads_become_slower_one_goes_on_alone() -> None:
    """For several times as long as was lost; it is measured meanwhile, and they wait to be."""
    state, data = starting_state(), rows_of_data(70)
    _, control = run(hand_made(7, True), data, None, state, 12, 2, STEP, since=43)
    assert noted(state) == visited(70, 12, shuffle=True)
    assert control[control_block.STAGE // 8] == pace.TOGETHER_WARMING
    assert control[control_block.PENALTY // 8] == 2 * pace.LEAST_PENALTY
    first = 1 + 10 + 2 + 6 + 4 * 2 * pace.LOOKS  # steps until it is found out, in the fourth look
    lost = 3 * (first - 43) * STEP  # at the barriers of those that were slow
    found = first * STEP + lost
    assert control[control_block.AGAIN // 8] == found + pace.LEAST_PENALTY * lost


def test_what_is_quickest_is_found_out_again() -> None:
    """The stretch after the next trials is longer, unless they end otherwise."""
    state, data = starting_state(), rows_of_data(4 * 300)
    _, control = run(hand_made(4, False), data, None, state, 1, 2, 1)
    assert control[control_block.KEPT // 8] == 0
    assert control[control_block.STRETCH // 8] == 256
    assert control[control_block.LEFT // 8] == 2 * 256 - (300 - (19 + 2 * 32) - 2 * (2 + 6))


@pytest.mark.parametrize("seed", range(6))
def test_machine_code_does_the_same(seed: int) -> None:
    """With data of both types, validation, a start in the middle, a stop or a failure."""
    random = np.random.default_rng(seed)
    batch_size, epochs = int(random.choice([4, 10, 64])), int(random.integers(1, 4))
    count, held_out = (int(each) for each in random.integers(1, 90, 2))
    data, validation = rows_of_data(count), rows_of_data(held_out, 1)
    if seed % 2:
        data["x"] = data["x"].astype(np.uint8)
    end = {0: {}, 1: {"stop_at": 3}, 2: {"fail_at": 2}}[seed % 3]
    shuffle, first = bool(seed % 2), int(random.integers(0, 5))
    mine, others = (starting_state(step=first, **end) for _ in range(2))
    history, _ = run(hand_made(batch_size, shuffle), data, validation, mine, epochs, 2)
    made = visiting(batch_size, shuffle)
    program, found = NativeTraining(made.code, made.library, 1), []
    fails = "fail_at" in end and first < 2
    with pytest.raises(InputError, match="out of range") if fails else nullcontext():
        for block in program.run(data, validation, others, epochs, lambda: False):
            found += [*block.seen]
    for key, array in mine.items():
        np.testing.assert_array_equal(array, others[key])
    assert history[: len(found), 0].tolist() == found


def test_a_failure_names_its_step_and_a_stop_leaves_a_record() -> None:
    data, code = rows_of_data(50), hand_made(4, True)
    history, control = run(code, data, None, starting_state(fail_at=7), 2, 2)
    assert control[control_block.FAILED_STEP // 8] == 6
    assert control[control_block.EPOCHS // 8] == 0
    history, control = run(code, data, data, starting_state(stop_at=5), 2, 2)
    assert control[control_block.STEPS // 8] == 5
    assert control[control_block.EPOCHS // 8] == 1
    assert history[0, 0] == 20
    assert history[0, 1 + len(code.layout.step.outputs)] == 50
