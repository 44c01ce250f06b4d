"""Checkpoints after so many steps, in the middle of an epoch too, and runs that go on from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, metrics, nn, optim, schedules
from chainrule.compiled.callbacks.calling import FinishedEpoch

HERE = Path(__file__).name
TARGETS = pytest.mark.parametrize("target", ["llvm", "numpy"])
RANDOM = np.random.default_rng(3)
ROWS, BATCH, EPOCHS = 45, 8, 7  # an epoch has 6 steps, the last of 5 rows
DATA = {
    "x": RANDOM.standard_normal((ROWS, 4)).astype(np.float32),
    "y": RANDOM.integers(0, 3, ROWS).astype(np.int32),
}
OTHERS = {name: rows[:11] for name, rows in DATA.items()}


def compiled(target: str, stop: object = None, **options: object) -> cr.TrainingProgram:
    """Random numbers in the step, a rate that follows the loss of an epoch, and sums over rows."""
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))(x)
    loss = losses.cross_entropy(logits, y)
    rate = schedules.plateau(0.1, loss, every=4, factor=0.5, patience=1)
    declared = cr.training(
        optim.SGD(lr=rate, momentum=0.9).minimize(loss),
        epochs=EPOCHS,
        batch_size=BATCH,
        metrics={"f1": metrics.f1_macro(logits, y), "accuracy": metrics.accuracy(logits, y)},
        stop=stop,  # type: ignore[arg-type]
        **options,  # type: ignore[arg-type]
    )
    return cr.compile(declared, target=target)


def saved_steps(folder: Path) -> dict[int, Path]:
    return {int(each.stem): each for each in folder.iterdir()}


@TARGETS
@pytest.mark.parametrize("every", [1, 4, 6, 100])
def test_files_are_written_after_so_many_steps_and_change_no_bit(
    target: str, every: int, tmp_path: Path
) -> None:
    program = compiled(target)
    whole = program.run(DATA, validation=OTHERS)
    saved = cr.Checkpoint(tmp_path / "{step}.safetensors", every_steps=every)
    result = program.run(DATA, validation=OTHERS, callbacks=[saved])
    assert result.state == whole.state
    assert result.history == whole.history
    found = saved_steps(tmp_path)
    last = 6 * EPOCHS
    assert sorted(found) == sorted({*range(every, last + 1, every), last})
    for step, path in found.items():
        state = cr.State.load(path)
        assert int(state["step"]) == step
        assert ("epoch_start" in state) == (step % 6 != 0)
    assert cr.State.load(found[last]) == whole.state


@TARGETS
def test_a_run_goes_on_from_each_of_them_to_the_bit(target: str, tmp_path: Path) -> None:
    """A rule reads the loss of the whole epoch, so that has to go on too."""
    rule = cr.EarlyStopping("loss", patience=1, restore_best=True)
    program = compiled(target, stop=rule)
    saved = cr.Checkpoint(tmp_path / "{step}.safetensors", every_steps=1)
    whole = program.run(DATA, validation=OTHERS, callbacks=[saved])
    assert whole.state == program.run(DATA, validation=OTHERS).state
    found = saved_steps(tmp_path)
    last = 6 * len(whole.history["loss"])
    for step, path in found.items():
        if step == last:
            continue
        rest = program.run(DATA, validation=OTHERS, resume=path)
        assert rest.state == whole.state, step
        for name, values in rest.history.items():
            assert values == whole.history[name][step // 6 :], (step, name)


def test_the_threads_do_not_matter(tmp_path: Path) -> None:
    data = {name: np.tile(rows, (9, 1)) if rows.ndim > 1 else np.tile(rows, 9)
            for name, rows in DATA.items()}  # fmt: skip
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 3))(x)
    step = optim.Adam(0.01).minimize(losses.cross_entropy(logits, y))
    declared = cr.training(step, epochs=3, batch_size=64)
    whole = cr.compile(declared, threads=1).run(data)
    path = tmp_path / "newest.safetensors"
    first = cr.compile(declared, threads=2)
    saved = cr.Checkpoint(path, every_steps=3)

    def interrupt(epoch: FinishedEpoch) -> bool:
        return int(epoch.state["step"]) == 9

    vars(interrupt)["every_steps"] = 9
    assert first.run(data, callbacks=[saved, interrupt]).stopped
    assert int(cr.State.load(path)["step"]) == 9
    rest = first.run(data, resume=path)
    assert rest.state == whole.state
    assert rest.history["loss"] == whole.history["loss"][1:]


@TARGETS
def test_the_last_files_are_kept(target: str, tmp_path: Path) -> None:
    saved = cr.Checkpoint(tmp_path / "{epoch}-{step}.safetensors", every_steps=4, keep=2)
    program = compiled(target)
    program.run(DATA, callbacks=[saved])
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["6-40.safetensors", "7-42.safetensors"]
    rest = program.run(DATA, resume=tmp_path / "{epoch}-{step}.safetensors", epochs=8)
    assert rest.state == program.run(DATA, epochs=8).state


@TARGETS
def test_one_that_is_called_after_steps_sees_the_last_epoch_that_is_finished(target: str) -> None:
    seen: list[tuple[int, int, object]] = []
    epochs: list[int] = []

    def note(epoch: FinishedEpoch) -> bool:
        seen.append((epoch.number, int(epoch.state["step"]), epoch.values.get("loss")))
        return len(seen) == 4

    vars(note)["every_steps"] = 5
    program = compiled(target)

    def count(epoch: FinishedEpoch) -> None:
        epochs.append(epoch.number)

    result = program.run(DATA, callbacks=[note, count])
    losses_seen = program.run(DATA).history["loss"]
    expected = [(0, 5, None), (1, 10, losses_seen[0]), (2, 15, losses_seen[1]),
                (3, 20, losses_seen[2])]  # fmt: skip
    assert seen == expected
    assert epochs == [1, 2, 3]
    assert result.stopped
    assert result.history["loss"] == losses_seen[:3]
    rest = program.run(DATA, state=result.state, epochs=EPOCHS - 3)
    assert rest.state == program.run(DATA).state
    assert rest.history["loss"] == losses_seen[3:]


def test_sums_of_other_numbers_are_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "newest.safetensors"
    program = compiled("numpy")
    program.run(DATA, callbacks=[cr.Checkpoint(path, every_steps=4), lambda _: True])
    state = dict(cr.State.load(path))
    state |= {"step": np.array(4), "epoch_start": np.array(0), "epoch_sums": np.ones(2)}
    for target in ("numpy", "llvm"):
        result = compiled(target).run(DATA, state=cr.State(state), epochs=1)
        assert int(result.state["step"]) == 6
        assert 0 <= result.history["accuracy"][0] <= 1


@pytest.mark.parametrize(
    "sums", [np.ones(()), np.ones(0), np.array([0.5, 1.0]), np.array([np.nan, 1.0]),
             np.array([-3.0, 1.0]), np.array([1e30, 1.0]), np.ones(3, np.float32)]
)  # fmt: skip
def test_sums_that_no_run_leaves_are_refused(sums: object) -> None:
    program = compiled("numpy")
    state = cr.State({**program.initial_state(), "epoch_sums": sums})  # type: ignore[dict-item]
    message = rf"'epoch_sums' are no number of rows[\s\S]*{HERE}[\s\S]*try: give a state that a run"
    with pytest.raises(cr.StateError, match=message):
        program.run(DATA, state=state)
