"""What a run calls between epochs, and runs that go on from the files of one."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import optim
from chainrule.compiled.callbacks.calling import Callback, FinishedEpoch
from chainrule.compiled.state import write_state

HERE = Path(__file__).name
X = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)

PROGRAM = """
import sys, numpy as np, chainrule as cr
from chainrule import optim
x = cr.input("x", ("batch", 3))
loss = cr.mean(cr.square(x * cr.parameter("w", (3,), 1.0) - 2.0 + cr.uniform(("batch", 3))))
declared = cr.training(optim.Adam(0.01).minimize(loss), epochs=EPOCHS, batch_size=8)
program = cr.compile(declared, target="TARGET")
X = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
"""


def program(epochs: int = 7, target: str = "llvm") -> cr.TrainingProgram:
    text = PROGRAM.replace("EPOCHS", str(epochs)).replace("TARGET", target)
    found: dict[str, object] = {}
    exec(text, found)
    made = found["program"]
    assert isinstance(made, cr.TrainingProgram)
    return made


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_callbacks_see_every_epoch_and_change_no_bit(target: str) -> None:
    compiled = program(target=target)
    seen: list[FinishedEpoch] = []
    states: list[cr.State] = []

    def note(epoch: FinishedEpoch) -> None:
        seen.append(epoch)
        states.append(epoch.state)

    result = compiled.run({"x": X}, callbacks=[note])
    assert [epoch.number for epoch in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert [epoch.values["loss"] for epoch in seen] == list(result.history["loss"])
    assert result.state == compiled.run({"x": X}).state == states[-1]
    assert states[2] == compiled.run({"x": X}, epochs=3).state


def test_one_that_returns_true_ends_the_run() -> None:
    result = program().run({"x": X}, callbacks=[lambda epoch: epoch.number == 3])
    assert (len(result.history["loss"]), result.stopped) == (3, True)


def test_a_limit_of_time_ends_the_run() -> None:
    started = time.monotonic()
    result = program(10**9).run({"x": X}, callbacks=[cr.TimeLimit(0.3)])
    assert result.stopped
    assert time.monotonic() - started < 30


def test_checkpoints_are_numbered_and_the_last_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "run" / "{epoch}.safetensors"
    compiled = program()
    result = compiled.run({"x": X}, callbacks=[cr.Checkpoint(path, every=2, keep=2)])
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "6.safetensors",
        "7.safetensors",
    ]
    assert cr.State.load(path.parent / "7.safetensors") == result.state


@pytest.mark.parametrize("name", ["newest.safetensors", "{epoch}.safetensors"])
def test_a_run_goes_on_from_the_newest_checkpoint(tmp_path: Path, name: str) -> None:
    compiled, path = program(12), tmp_path / name
    whole = compiled.run({"x": X})
    compiled.run({"x": X}, epochs=5, callbacks=[cr.Checkpoint(path, every=3)])
    rest = compiled.run({"x": X}, resume=path)
    assert rest.state == whole.state
    assert rest.history["loss"] == whole.history["loss"][5:]
    rest.state.save(
        tmp_path / "newest.safetensors" if "newest" in name else tmp_path / "12.safetensors"
    )
    with pytest.raises(cr.InputError, match=rf"none left[\s\S]*{HERE}"):
        compiled.run({"x": X}, resume=path)


def test_a_run_that_goes_on_counts_on(tmp_path: Path) -> None:
    compiled, path = program(7), tmp_path / "{epoch}.safetensors"
    compiled.run({"x": X}, callbacks=[cr.Checkpoint(path), lambda epoch: epoch.number == 4])
    numbers: list[tuple[int, int]] = []
    rest = compiled.run(
        {"x": X},
        callbacks=[
            cr.Checkpoint(path),
            lambda epoch: numbers.append((epoch.number, epoch.of)),
            lambda epoch: epoch.number == 6,
        ],
        resume=path,
    )
    assert numbers == [(5, 7), (6, 7)]
    steps = {each.stem: int(cr.State.load(each)["step"]) for each in tmp_path.iterdir()}
    assert steps == {str(number): 3 * number for number in range(1, 7)}
    assert compiled.run({"x": X}, resume=path).state == compiled.run({"x": X}).state
    assert rest.stopped


def test_a_rule_that_ends_between_two_calls_says_after_which_epoch() -> None:
    x = cr.input("x", ("batch", 3))
    loss = cr.mean(cr.square(x)) + cr.square(cr.parameter("w", (), 1.0))
    stop = cr.TargetValue("loss", 1e9)
    step = cr.optim.SGD(0.1).minimize(loss)
    compiled = cr.compile(cr.training(step, epochs=9, batch_size=8, stop=stop))
    numbers: list[int] = []

    def note(epoch: FinishedEpoch) -> None:
        numbers.append(epoch.number)

    vars(note)["every"] = 4
    result = compiled.run({"x": X}, callbacks=[note])
    assert numbers == [len(result.history["loss"])] == [1]


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_rows_are_counted_where_another_input_comes_first(tmp_path: Path, target: str) -> None:
    scale, x = cr.input("scale", default=2.0), cr.input("x", ("batch", 3))
    loss = cr.mean(cr.square(scale * x * cr.parameter("w", (3,), 1.0)))
    declared = cr.training(optim.SGD(lr=0.01).minimize(loss), epochs=4, batch_size=8)
    compiled, path = cr.compile(declared, target=target), tmp_path / "newest.safetensors"
    compiled.run({"x": X}, epochs=2, callbacks=[cr.Checkpoint(path)])
    assert compiled.run({"x": X}, resume=path).state == compiled.run({"x": X}).state


def test_without_a_checkpoint_it_begins(tmp_path: Path) -> None:
    compiled = program()
    assert compiled.run({"x": X}, resume=tmp_path / "none").state == compiled.run({"x": X}).state


def test_the_run_goes_on_while_a_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = threading.Event()

    def waiting(state: cr.State, path: Path) -> None:
        assert later.wait(30)
        write_state(state, path)

    def note(epoch: FinishedEpoch) -> None:
        if epoch.number == 4:
            assert not list(tmp_path.iterdir())
            later.set()

    monkeypatch.setattr("chainrule.compiled.callbacks.checkpoint.write_state", waiting)
    compiled = program()
    saved = cr.Checkpoint(tmp_path / "{epoch}", every=3)
    compiled.run({"x": X}, callbacks=[saved, note])
    for number in (3, 6, 7):
        found = cr.State.load(tmp_path / str(number))
        assert found == compiled.run({"x": X}, epochs=number).state


@pytest.mark.parametrize("last", [True, False])
def test_a_file_that_cannot_be_written_ends_the_run(tmp_path: Path, last: bool) -> None:
    folder = tmp_path / "run"
    numbers: list[int] = []

    def remove(epoch: FinishedEpoch) -> None:
        numbers.append(epoch.number)
        if epoch.number == (6 if last else 1):
            shutil.rmtree(folder)

    saved = cr.Checkpoint(folder / "{epoch}", every=7 if last else 2)
    other = cr.Checkpoint(tmp_path / "other", every=2)
    message = rf"cannot save the state to {folder}[\s\S]*{HERE}[\s\S]*try: make the folder first"
    with pytest.raises(cr.StateError, match=message):
        program().run({"x": X}, callbacks=[saved, remove, other])
    assert numbers == ([1, 2, 3, 4, 5, 6, 7] if last else [1, 2, 3])
    found = cr.State.load(tmp_path / "other")  # the other one is on the disk
    assert found == program().run({"x": X}, epochs=7 if last else 2).state


@pytest.mark.parametrize("of", ["epochs", "steps"])
def test_a_process_that_was_killed_loses_no_bit(tmp_path: Path, of: str) -> None:
    path = tmp_path / "newest.safetensors"
    often = "" if of == "epochs" else ", every_steps=4"  # an epoch has 3
    saved = f"cr.Checkpoint({str(path)!r}{often})"
    slow = "import time; slow = lambda epoch: time.sleep(0.01)"
    run = f"program.run(dict(x=X), callbacks=[{saved}, slow], progress=False)"
    text = PROGRAM.replace("EPOCHS", "2000").replace("TARGET", "llvm")
    killed = subprocess.Popen([sys.executable, "-c", f"{text}\n{slow}\n{run}"])
    try:
        while not path.exists():
            assert killed.poll() is None
            time.sleep(0.01)
        time.sleep(0.1)
    finally:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
    compiled = program(2000)
    step = int(cr.State.load(path)["step"])
    assert 0 < step < 6000
    assert step % (3 if of == "epochs" else 4) == 0
    assert compiled.run({"x": X}, resume=path).state == compiled.run({"x": X}).state


def test_a_log_has_a_line_for_each_epoch(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "run.csv"
    for _ in range(2):  # another run begins anew
        result = program().run({"x": X}, validation={"x": X}, callbacks=[cr.CSVLog(path)])
    header, *lines = csv.reader(path.read_text().splitlines())
    assert header == ["epoch", "loss", "val_loss"]
    assert [float(line[1]) for line in lines] == list(result.history["loss"])


def test_a_log_goes_on_with_the_run(tmp_path: Path) -> None:
    path, saved = tmp_path / "run.csv", tmp_path / "{epoch}.safetensors"
    compiled = program(9)
    watched: list[Callback] = [cr.CSVLog(path), cr.Checkpoint(saved, every=3)]

    def interrupt(epoch: FinishedEpoch) -> None:
        if epoch.number == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled.run({"x": X}, callbacks=[*watched, interrupt])
    compiled.run({"x": X}, callbacks=watched, resume=saved)
    _, *lines = csv.reader(path.read_text().splitlines())
    losses = compiled.run({"x": X}).history["loss"]
    assert [(int(line[0]), float(line[1])) for line in lines] == [*enumerate(losses, start=1)]


def test_tensorboard_is_written_by_its_own_writer(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    program().run({"x": X}, callbacks=[cr.TensorBoardLog(tmp_path)])
    assert list(tmp_path.glob("events*"))


def refused(callback: Any) -> None:
    """Whatever is given, nothing runs."""
    called: list[int] = []
    try:
        program().run({"x": X}, callbacks=[lambda epoch: called.append(epoch.number), callback])
    finally:
        assert called == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.Checkpoint("a", every=0), "Checkpoint: every"),
        (lambda: cr.Checkpoint("a", keep=2), "one file, so there are none to keep"),
        (lambda: cr.Checkpoint("a", every_steps=0), "Checkpoint: every_steps"),
        (lambda: cr.Checkpoint("a", every=2, every_steps=3), "every=2 counts epochs"),
        (lambda: cr.Checkpoint("{epoch}", every_steps=3), "one file for all steps of an epoch"),
        (lambda: cr.Checkpoint("a", every_steps=3, keep=2), "one file, so there are none to keep"),
        (lambda: cr.TimeLimit(0), "TimeLimit: seconds"),
        (lambda: refused(3), "3 is no callback"),
        (lambda: refused(cr.CSVLog("/proc")), "CSVLog: cannot write to /proc: it is a folder"),
        (lambda: refused(cr.Checkpoint("/")), "Checkpoint: cannot write to /: it is a folder"),
        (
            lambda: program().run({"x": X}, callbacks=[cr.CSVLog("/proc/none/a")]),
            "CSVLog: cannot write",
        ),
        (
            lambda: program().run({"x": X}, callbacks=[cr.Checkpoint("/proc/none/a")]),
            "Checkpoint: cannot write to /proc/none",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(cr.ChainruleError, match=rf"{message}[\s\S]*{HERE}[\s\S]*try: "):
        make()


def test_without_a_writer_tensorboard_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(cr.InputError, match=rf"no tensorboardX here[\s\S]*{HERE}"):
        cr.TensorBoardLog(tmp_path)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (cr.TimeLimit, r"give an object of the class, TimeLimit\(\.\.\.\)"),
        (
            cr.EarlyStopping("loss"),
            r"declare it with the training, whose .*cr\.training\(\.\.\., stop=",
        ),
    ],
    ids=["a class", "a rule"],
)
def test_what_is_nearly_a_callback_is_told_where_it_belongs(given: object, hint: str) -> None:
    with pytest.raises(cr.InputError, match=rf"is no callback\n.*{HERE}:\d+\n  try: {hint}"):
        refused(given)


def test_an_epoch_prints_what_it_reports_and_no_arrays() -> None:
    seen: list[str] = []
    program(epochs=1).run({"x": X}, callbacks=[lambda epoch: seen.append(repr(epoch))])
    assert re.fullmatch(r"FinishedEpoch\(number=1, of=1, values=\{'loss': [\d.]+\}\)", seen[0])


def test_a_log_on_a_full_disk_says_so() -> None:
    full = r"^CSVLog: cannot write to /dev.*\n  where: .*test_calling\.py:\d+\n  try: .* has room$"
    with pytest.raises(cr.StateError, match=full):
        program().run({"x": X}, callbacks=[cr.CSVLog("/dev/full")])
