"""The first training of each example, exported and called: the bits of a run in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from tests.examples.running import load
from tests.examples.test_exporting import NAMES
from tests.exported import OK, Exported, Library, struct_of

import chainrule as cr
from chainc.ir.types import Array

FUNCTIONS_ONLY = {"catch", "circuits", "try_linear"}  # they run no training
EPOCHS, BATCHES = 2, 3


class _Found(BaseException):
    """A training that an example was about to run, and its data by input."""

    def __init__(self, program: cr.TrainingProgram, data: Mapping[str, Array]) -> None:
        super().__init__()
        self.program, self.data = program, data


def first_training(example: str, folder: Path) -> tuple[cr.TrainingProgram, dict[str, Array]]:
    """With some batches of its rows, and one that is not whole."""

    def run(program: cr.TrainingProgram, data: Any = (), **_: Any) -> cr.Result:
        raise _Found(program, program._check(data, {}))

    with mock.patch.object(cr.TrainingProgram, "run", run), redirect_stdout(StringIO()):
        try:
            load(example).main(folder)
        except _Found as found:
            program, rows = found.program, BATCHES * found.program._training.batch_size + 1
            types = {node.op.label: node.type for node in program._declared.leaves("input")}
            batched = set(program._compiled.loop.batch_inputs)
            return (
                cr.compile(program._training),
                {  # an example may have compiled it for NumPy
                    key: np.array(array[:rows] if key in batched else array, types[key].dtype.numpy)
                    for key, array in found.data.items()
                    if key in types
                },
            )
    raise AssertionError(f"{example} runs no training")


def words(arrays: Sequence[Array]) -> Sequence[int]:
    """Of a data set, if there is one."""
    return [len(arrays[0]), *(each.ctypes.data for each in arrays), 0] if arrays else []


@pytest.mark.nightly
@pytest.mark.parametrize("name", sorted(NAMES - FUNCTIONS_ONLY))
def test_what_an_example_exports_leaves_the_bits_of_a_run(name: str, tmp_path: Path) -> None:
    program, data = first_training(name, tmp_path / "run")
    program.export(tmp_path, name="program", processor="native")
    library = Library(Exported(program, cr.constant(0.0), tmp_path, "program"), None)
    assert library.call("init", library.exported.number("SEED")) == OK
    rows = [data[key] for key in program._compiled.loop.batch_inputs if key in data]
    for key, array in data.items():
        if key not in program._compiled.loop.batch_inputs:
            assert library.call("set", library.exported.tensor(key.upper()), array) == OK
    columns = library.exported.header.count("    PROGRAM_COLUMN_")
    history = np.zeros((EPOCHS + 1, columns))
    ending, training = program._training.ending, words(rows)
    validated = ending is not None and ending.needs_validation
    held_out = (training or [1]) if validated else [0] * max(len(training), 1)
    job = [*training, *held_out, EPOCHS, history.ctypes.data, 0]
    assert library.call("train", struct_of(job)) == OK
    validation = data if validated else None
    result = program.run(data, validation=validation, epochs=EPOCHS, progress=False)
    told = library.exported.tensors
    expected = b"".join(result.state[key].tobytes() for key in told if key in result.state)
    assert set(result.state) <= set(told)
    assert library.state().startswith(expected)
