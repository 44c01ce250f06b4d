"""The types that an export for browsers declares, as the TypeScript compiler reads them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import chainrule as cr
from chainrule import losses, nn, optim

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(shutil.which("tsc") is None, reason="there is no TypeScript compiler"),
]

OPTIONS = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib")
LIBRARIES = "es2022,dom"
TRAINS = """\
import { load, type Epoch } from "./small.js";

const training = await load({ rows: 8, validationRows: 4 });
training.data({ x: new Float32Array(24), y: new Int32Array(8) });
const epochs: Epoch[] = [...training.train(3)];
const loss: number = epochs[0].outputs.loss;
const state: Uint8Array = training.state();
training.restore(state);
const results: Float32Array = training.predict({ x: new Float32Array(24) });
training.set("lr", [loss, results[0]]);
"""
WRONG = {
    "epochs[0].outputs.loss": "epochs[0].outputs.accuracy",
    '"lr"': '"rate"',
    "new Int32Array(8)": '"eight"',
    "{ rows: 8, ": "{ ",
}


def complaints(folder: Path, program: str) -> str:
    (folder / "use.mts").write_text(program)
    command = ["tsc", *OPTIONS, LIBRARIES, "use.mts"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_a_program_has_the_types_of_its_training(tmp_path: Path) -> None:
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Linear(3, 2)(x)
    step = optim.SGD(lr=0.1).minimize(losses.cross_entropy(logits, y))
    program = cr.compile(cr.training(step, epochs=1, batch_size=4), target="wasm")
    program.export(tmp_path, name="small", predict=logits)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    assert complaints(tmp_path, TRAINS) == ""
    for right, wrong in WRONG.items():
        assert "error TS" in complaints(tmp_path, TRAINS.replace(right, wrong)), wrong
