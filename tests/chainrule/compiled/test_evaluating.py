"""What evaluates is compiled when it is first needed; what cannot be is refused before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.llvm.host import training_start
from chainc.backends.llvm.machine_code.emission import Divisible
from chainc.backends.llvm.machine_code.jit import machine_code
from chainc.backends.llvm.processors.processor import Processor
from chainc.ops.runs.modes import by_mode
from chainrule import nn, optim

DATA = {"x": np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32)}
HELD_OUT = {"x": DATA["x"][:7]}
DECLARED = 'declare i1 @"evaluate.all"'
DEFINED = 'define i1 @"evaluate.all"'


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The modules of trainings that were compiled since the test began, with an empty cache."""
    found: list[str] = []

    def noted(text: str, processor: Processor) -> bytes:
        found.append(text)
        return machine_code(text, processor)

    def noted_whole(module: Divisible, processor: Processor) -> Sequence[bytes]:
        return [noted(module.text(), processor)]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(training_start, "machine_code", noted)
    monkeypatch.setattr(training_start, "object_files", noted_whole)
    return found


def declared() -> cr.Training:
    model = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5), nn.Linear(5, 4))
    loss = cr.mean(cr.square(model(cr.input("x", ("batch", 6)))))
    return cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=3, batch_size=8)


def test_once_for_a_run_with_validation_and_an_evaluation(compiled: list[str]) -> None:
    program = cr.compile(declared())
    alone = program.run(DATA, progress=False)
    assert len(compiled) == 1
    assert DECLARED in compiled[0]
    assert DEFINED not in compiled[0]
    beside = program.run(DATA, validation=HELD_OUT, progress=False)
    assert len(compiled) == 2
    assert DEFINED in compiled[1]
    assert "@train(" not in compiled[1]
    assert beside.state == alone.state
    assert beside.history["loss"] == alone.history["loss"]
    found = program.evaluate(HELD_OUT, beside.state)
    assert found["loss"] == beside.history["val_loss"][-1]
    assert program.run(DATA, validation=HELD_OUT, progress=False).history == beside.history
    assert len(compiled) == 2


def test_a_program_of_another_process_needs_no_more(compiled: list[str]) -> None:
    training = declared()
    first = cr.compile(training).run(DATA, progress=False)
    program = cr.compile(training)
    assert program.run(DATA, progress=False).state == first.state
    assert len(compiled) == 1
    program.evaluate(DATA, first.state)
    cr.compile(training).evaluate(DATA, first.state)
    assert len(compiled) == 2


def test_what_is_shown_has_both(compiled: list[str]) -> None:
    program = cr.compile(declared())
    assert 'define internal i1 @"evaluate.all"' in program.llvm
    assert len(compiled) == 1


def test_evaluation_that_cannot_be_native_is_refused_when_compiling(compiled: list[str]) -> None:
    x, w = cr.input("x", ("batch", 6)), cr.parameter("w", (6, 3), "he_normal")
    h = x @ w
    turned = cr.reshape(cr.permute_dims(h, (1, 0)), (-1,))
    loss = by_mode(train=cr.mean(cr.square(h)), infer=cr.mean(turned))
    training = cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=1, batch_size=8)
    wanted = (
        r"needs the number of rows when compiling.*\n  where: .*test_evaluating.py:\d+\n  try: "
    )
    with pytest.raises(cr.GraphError, match=wanted):
        cr.compile(training)
    assert not compiled
