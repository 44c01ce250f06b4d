"""Programs exported for processors that are not this machine's, run by an emulator of them."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.llvm.host.training import ENTRIES, NativeTraining
from chainc.backends.llvm.machine_code.jit import Library, compile_object
from chainc.backends.llvm.processors.by_name import processor_named
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.training_code import training_code
from chainc.ir.types import Array
from chainrule import losses, nn, optim

COMPILERS = {"aarch64": "aarch64-linux-gnu-gcc", "riscv64": "riscv64-linux-gnu-gcc"}
EPOCHS, BATCH, ROWS = 2, 4, 11


def small_training() -> cr.TrainingProgram:
    """5-6-3, with what each kind of kernel does and an optimizer with slots."""
    x, y = cr.input("x", ("batch", 5)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Linear(6, 3)(cr.tanh(nn.Linear(5, 6)(x)))
    step = optim.Adam(lr=0.1).minimize(losses.cross_entropy(logits, y))
    return cr.compile(cr.training(step, epochs=EPOCHS, batch_size=BATCH), target="llvm")


def data() -> dict[str, Array]:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((ROWS, 5)).astype(np.float32)
    return {"x": x, "y": rng.integers(0, 3, ROWS).astype(np.int32)}


def trained_here(program: cr.TrainingProgram, other: Processor) -> cr.State:
    """By code for this process with the vectors and registers of another processor."""
    here = Processor(host().triple, host().name, host().features, other.machine)
    code = training_code(program._compiled.loop, here, 1)
    runner = NativeTraining(code, Library(compile_object(code.text, here), ENTRIES), 1)
    values = {name: np.array(array) for name, array in program.initial_state().items()}
    for _ in runner.run(program._check(data(), {}), None, values, EPOCHS, lambda: False):
        pass
    return cr.State(values)


def run(command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["aarch64", "riscv64"])
def test_an_emulated_processor_leaves_the_bits_of_this_one(name: str, tmp_path: Path) -> None:
    processor, compiler = processor_named(name), COMPILERS[name]
    emulator = processor.emulator
    if emulator is None or shutil.which(emulator) is None or shutil.which(compiler) is None:
        pytest.skip(f"there is no {emulator}, or no {compiler}")
    if not host().fuses:
        pytest.skip("this processor rounds products and sums apart")
    program, given = small_training(), data()
    program.export(tmp_path, name="small", processor=name)
    run([compiler, "-static", "-std=c11", "main.c", "libsmall.a", "-o", "small"], tmp_path)
    content = b"CHAINDAT" + struct.pack("<3q", ROWS, 0, 0)
    (tmp_path / "data").write_bytes(content + given["x"].tobytes() + given["y"].tobytes())
    run([emulator, "small", "data", "state"], tmp_path)
    expected = b"".join(array.tobytes() for array in trained_here(program, processor).values())
    assert (tmp_path / "state").read_bytes()[: len(expected)] == expected
