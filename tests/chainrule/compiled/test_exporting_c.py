"""Trainings exported as C source: whoever builds it has the bits of a run in this process."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.exported import CC, build

import chainrule as cr
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule import losses, metrics, nn, optim

NEEDS_CC = pytest.mark.skipif(CC is None, reason="there is no C compiler")
ROWS, HELD_OUT = 43, 20


def declared() -> cr.Training:
    """Dropout, labels that are checked, and a rule that ends it before its last epoch."""
    x, y = cr.input("x", ("batch", 6)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))(x)
    step = optim.SGD(lr=0.5, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    rule = cr.EarlyStopping("val_loss", patience=2)
    measured = {"accuracy": metrics.accuracy(logits, y)}
    return cr.training(step, epochs=20, batch_size=8, stop=rule, metrics=measured)


def rows(count: int, seed: int) -> dict[str, Array]:
    random = np.random.default_rng(seed)
    x = random.standard_normal((count, 6)).astype(np.float32)
    return {"x": x, "y": random.integers(0, 2, count).astype(np.int32)}


@NEEDS_CC
def test_a_process_of_c_leaves_the_bits_of_a_run_in_this_one(tmp_path: Path) -> None:
    paths = cr.compile(declared(), target="c").export(tmp_path, name="small")
    assert [path.name for path in paths] == ["small.c", "small.h", "main.c", "README.md"]
    build(tmp_path, "main.c", "small.c", "-o", "small")
    data, held_out = rows(ROWS, 0), rows(HELD_OUT, 1)
    content = b"CHAINDAT" + struct.pack("<3q", ROWS, HELD_OUT, 0)
    parts = (each[key].tobytes() for each in (data, held_out) for key in ("x", "y"))
    (tmp_path / "data").write_bytes(content + b"".join(parts))
    command: list[str | Path] = [tmp_path / "small", "data", "state"]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    expected = cr.compile(declared()).run(data, validation=held_out, progress=False)
    epochs = len(expected.history["loss"])
    assert 3 <= epochs == said.stdout.count("epoch") < 20
    header = (tmp_path / "small.h").read_text()
    names = re.findall(r"^    SMALL_TENSOR_\w+, /\* (.+): ", header, re.MULTILINE)
    assert {*names} == {*expected.state, "lr", "momentum"}
    state = b"".join(expected.state[name].tobytes() for name in names[:-2])
    assert (tmp_path / "state").read_bytes()[: len(state)] == state


def test_the_files_say_how_they_are_built(tmp_path: Path) -> None:
    cr.compile(declared(), target="c").export(tmp_path, name="small")
    source, told = ((tmp_path / name).read_text() for name in ("small.c", "README.md"))
    command = "-ffp-contract=off -fno-math-errno -fwrapv main.c small.c -o small -lm"
    assert command in told
    assert f"main.c {command.partition('main.c ')[2]}" in (tmp_path / "main.c").read_text()
    assert f"# {Path(__file__).name}:" in source
    for function in ("init", "get", "set", "train", "step", "evaluate", "ended"):
        assert f"small_{function}(" in source
        assert f"- `small_{function}`" in told


def test_source_is_for_no_processor(tmp_path: Path) -> None:
    for program in (
        cr.compile(declared(), target="c"),
        cr.compile(cr.input("x", (2,)) + 1, target="c"),
    ):
        message = (
            r"is source, which is not for the processor 'aarch64'\n.*\n  try: leave processor out"
        )
        with pytest.raises(InputError, match=message):
            program.export(tmp_path / "new", name="small", processor="aarch64")
    assert not (tmp_path / "new").exists()


def test_no_kernel_is_for_the_line_that_compiles(tmp_path: Path) -> None:
    """Which one that is depends on what is kept of earlier processes, and the text must not."""
    x, y = cr.input("x", ("batch", 4, 3)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Linear(5, 3)(nn.GRU(3, 5)(x)[:, -1])
    step = optim.Adam(lr=0.1).minimize(losses.cross_entropy(logits, y))
    declared = cr.training(step, epochs=1, batch_size=8)
    last = int(re.findall(r"\d+", str(step.loss.origin.location))[-1])
    cr.compile(declared, target="c").export(tmp_path, name="small", predict=logits)
    told = re.findall(rf"# {Path(__file__).name}:(\d+)", (tmp_path / "small.c").read_text())
    assert {*map(int, told)} <= {last, last - 1}
