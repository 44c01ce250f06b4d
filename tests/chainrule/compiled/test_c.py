"""Programs in C: they compute bit for bit what machine code computes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.c_programs import compiler
from chainc.ir.types import Array, static
from chainrule import losses, metrics, nn, optim

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

PAGE = Path(__file__).parents[3] / "docs" / "as_c.md"
SHAPES = {"x": (7, 5), "w": (5, 11)}
ROWS = 83  # with batches of 8, an epoch has ten steps and a smaller one


def classifier(logits: cr.Node) -> cr.Training:
    """55 steps: shuffled epochs, with a metric and a smaller last batch."""
    y = cr.input("y", ("batch",), dtype="int32")
    step = optim.Adam(lr=0.01).minimize(losses.cross_entropy(logits, y))
    accuracy = metrics.accuracy(logits, y)
    return cr.training(step, epochs=5, batch_size=8, metrics={"accuracy": accuracy}, seed=3)


def dense() -> cr.Training:
    x = cr.input("x", ("batch", 6))
    layers = (nn.Linear(6, 9), nn.BatchNorm1d(9), nn.Tanh(), nn.Linear(9, 4))  # slots alike
    return classifier(nn.Sequential(*layers)(x))


def convolutional() -> cr.Training:
    x = cr.input("x", ("batch", 1, 6, 6))
    layers = (nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2))
    return classifier(nn.Sequential(*layers, nn.Linear(16, 4))(x))


def recurrent() -> cr.Training:
    x = cr.input("x", ("batch", 5, 3))
    return classifier(nn.Linear(8, 4)(nn.LSTM(3, 8)(x)[:, -1]))


TRAININGS = {"dense": dense, "convolutional": convolutional, "recurrent": recurrent}


def data_for(declared: cr.Training) -> dict[str, Array]:
    random = np.random.default_rng(0)
    (x,) = [leaf for leaf in declared.step.graph.leaves("input") if leaf.op.label == "x"]
    shape = (ROWS, *static(x.shape[1:]))
    return {
        "x": random.normal(size=shape).astype(np.float32),
        "y": random.integers(0, 4, ROWS).astype(np.int32),
    }


def bits(arrays: Mapping[str, Array]) -> dict[str, bytes]:
    return {name: np.asarray(array).tobytes() for name, array in arrays.items()}


def compare(make: Callable[[], cr.Training], threads: int | None = None) -> None:
    declared = make()
    data = data_for(declared)
    held_out = {name: array[:19] for name, array in data.items()}
    native = cr.compile(declared, threads=threads)
    start = native.initial_state()
    expected = native.run(data, validation=held_out, state=start)
    found = cr.compile(declared, target="c", threads=threads).run(
        data, validation=held_out, state=start
    )
    assert bits(found.state) == bits(expected.state)
    assert found.history == expected.history
    assert bits(expected.state) != bits(start)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled takes less long than it runs."""
    flags = ["-O0" if flag == "-O2" else flag for flag in FLAGS]
    monkeypatch.setattr(compiler, "FLAGS", (*flags, "-Wall", "-Wextra", "-Werror", "-Wno-psabi"))


@pytest.mark.usefixtures("quickly")
def test_a_training_leaves_the_bits_of_machine_code() -> None:
    compare(dense)


@pytest.mark.nightly
@pytest.mark.parametrize("make", TRAININGS)
@pytest.mark.parametrize("threads", [1, 2])
def test_every_training_leaves_the_bits_of_machine_code(make: str, threads: int) -> None:
    compare(TRAININGS[make], threads)


@pytest.mark.usefixtures("quickly")
def test_a_function_has_the_bits_of_machine_code() -> None:
    x = cr.input("x", ("batch", 5))
    value = cr.softmax(cr.tanh(x) @ cr.input("w", (5, 11)), axis=-1)
    random = np.random.default_rng(1)
    given = {name: random.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    programs = [cr.compile(value, target=target) for target in ("llvm", "c")]
    found, expected = (np.asarray(program(**given)) for program in programs)
    assert found.tobytes() == expected.tobytes()
    assert programs[1].codes == ("loops", "c")
    assert programs[1].source == programs[1].c == programs[0].c
    assert programs[1].loops == programs[0].loops
    with pytest.raises(cr.GraphError, match="'c' has no machine code"):
        _ = programs[1].assembly


@pytest.mark.usefixtures("quickly")
def test_an_index_out_of_range_is_refused() -> None:
    table, index = cr.input("table", (3, 2)), cr.input("i", ("batch",), dtype="int32")
    table = table + cr.parameter("arena", (3, 2), 0.0)  # names of what routines are given
    function = cr.compile(cr.take(table, index), target="c")
    function = function.bind(function.initial_state())
    values = np.ones((3, 2), np.float32)
    assert np.array_equal(
        np.asarray(function(table=values, i=np.array([2, 0], np.int32))).shape, (2, 2)
    )
    with pytest.raises(cr.InputError, match=r"out of range for an axis of size 3"):
        function(table=values, i=np.array([3], np.int32))


def test_a_program_of_c_calls_it(tmp_path: Path) -> None:
    """The one that the page shows."""
    page = PAGE.read_text(encoding="utf-8")
    (caller,) = re.findall(r"^```c\n(.*?)^```$", page, re.M | re.S)
    (expected,) = re.findall(r"which prints `([^`]*)`", page)
    function = cr.compile(cr.relu(cr.input("x", ("batch", 3)) @ cr.input("w", (3, 2))), target="c")
    (tmp_path / "main.c").write_text(caller, encoding="utf-8")
    (tmp_path / "program.c").write_text(function.source, encoding="utf-8")
    asked = [
        "cc",
        *FLAGS,
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        "main",
        "main.c",
        "program.c",
        "-lm",
    ]
    subprocess.run(asked, cwd=tmp_path, check=True)
    said = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert said.stdout == f"{expected}\n"


def test_the_summary_says_what_it_takes() -> None:
    summary = cr.compile(dense(), target="c").summary()
    assert summary.target == "c"
    assert summary.kernels
    assert summary.arena_bytes
    assert summary.code_bytes is None
