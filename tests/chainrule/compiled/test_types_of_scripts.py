"""The types that an export for browsers declares, as the TypeScript compiler reads them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr
from chainrule import losses, nn, optim

# beside this Python, where .ci/run has npm put it, or on the path
PLACES = (str(Path(sys.prefix) / "node_modules" / ".bin"), os.environ.get("PATH", ""))
TSC = shutil.which("tsc", path=os.pathsep.join(PLACES))
pytestmark = pytest.mark.skipif(TSC is None, reason="there is no TypeScript compiler")

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
DRAWS = """\
import { load, type Epoch } from "./drawn.js";

const training = await load();
training.init(3);
const epochs: Epoch[] = [...training.train(3, true)];
const after: number | undefined = epochs[0].validation?.outputs.loss;
const loss: number = training.step().loss - training.evaluate().loss;
const results: Float32Array = training.predict({ x: new Float32Array(24) });
training.set("lr", [loss, results[0], after ?? 0]);
"""
CALLS = """\
import { load } from "./served.js";

const computation = await load({ rows: 8 });
const { results } = computation.call({ x: new Float32Array(24) });
const first: number = results[0];
"""
RIGHT = [TRAINS, DRAWS, CALLS]
WRONG = [
    (TRAINS, "epochs[0].outputs.loss", "epochs[0].outputs.accuracy"),
    (TRAINS, '"lr"', '"rate"'),
    (TRAINS, "new Int32Array(8)", '"eight"'),
    (TRAINS, "{ rows: 8, ", "{ "),
    (DRAWS, "load()", "load({ rows: 8 })"),
    (DRAWS, "training.init(3)", "training.data({})"),
    (DRAWS, "training.step()", "training.step({})"),
    (DRAWS, "training.step()", "epochs[0].rows"),
    (CALLS, "{ results }", "{ logits }"),
    (CALLS, "x: new Float32Array(24)", "x: new Float64Array(24)"),
]


def complained_of(folder: Path, programs: list[str]) -> list[int]:
    """The numbers of the programs in which there are errors."""
    names = [f"use{i}.mts" for i in range(len(programs))]
    for name, program in zip(names, programs, strict=True):
        (folder / name).write_text(program)
    command = [str(TSC), *OPTIONS, LIBRARIES, *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = re.findall(r"^(?:use(\d+)\.mts)?.*error TS", done.stdout, re.MULTILINE)
    assert "" not in found, done.stdout
    return sorted(set(map(int, found)))


def test_a_program_has_the_types_of_its_training_and_its_function(tmp_path: Path) -> None:
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Linear(3, 2)(x)
    step = optim.SGD(lr=0.1).minimize(losses.cross_entropy(logits, y))
    program = cr.compile(cr.training(step, epochs=1, batch_size=4), target="wasm")
    program.export(tmp_path, name="small", predict=logits)
    drawn, weight = cr.normal((8, 3)), cr.parameter("weight", (3,), 1.0)
    step = optim.SGD(lr=0.1).minimize(cr.mean(cr.square(drawn @ weight)))
    alone = cr.compile(cr.training(step, epochs=1), target="wasm")
    alone.export(tmp_path, name="drawn", predict=x @ weight)
    served = cr.compile(logits, target="wasm").bind(program.initial_state())
    served.export(tmp_path, name="served")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    wrong = [right.replace(old, new) for right, old, new in WRONG]
    assert all(program not in RIGHT for program in wrong)
    found = complained_of(tmp_path, [*RIGHT, *wrong])
    assert found == [len(RIGHT) + i for i in range(len(wrong))]
