"""A convolutional network exported: it trains without Python, by the same bits, and is small."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.exported import CC

import chainrule as cr
from chainrule import losses, optim, zoo

ROWS, BATCH = 40, 16


@pytest.mark.nightly
@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_lenet_trains_without_python_by_the_same_bits(tmp_path: Path) -> None:
    x, y = cr.input("x", ("batch", 1, 28, 28)), cr.input("y", ("batch",), dtype="int32")
    logits = zoo.lenet5()(x)
    step = optim.SGD(lr=0.05, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    program = cr.compile(cr.training(step, epochs=2, batch_size=BATCH, seed=3), target="llvm")
    program.export(tmp_path, name="digits", predict=logits, processor="native")
    assert (tmp_path / "libdigits.so").stat().st_size <= 200 * 1024
    random = np.random.default_rng(0)
    data = {
        "x": random.standard_normal((ROWS, 1, 28, 28)).astype(np.float32),
        "y": random.integers(0, 10, ROWS).astype(np.int32),
    }
    head = np.array([ROWS, 0, 0], np.int64).tobytes()
    (tmp_path / "digits.data").write_bytes(
        b"CHAINDAT" + head + data["x"].tobytes() + data["y"].tobytes()
    )
    assert CC is not None
    for command in (
        [CC, "-std=c11", "main.c", "digits.o", "-o", "digits"],
        ["./digits", "digits.data", "state"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    state = program.run(data, progress=False).state
    header = (tmp_path / "digits.h").read_text()
    told = re.findall(r"^    DIGITS_TENSOR_\w+, /\* (.+): ", header, re.M)[: len(state)]
    wanted = b"".join(state[name].tobytes() for name in told)
    assert (tmp_path / "state").read_bytes()[: len(wanted)] == wanted
    assert set(told) == set(state)
