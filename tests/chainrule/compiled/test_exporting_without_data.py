"""Exported trainings whose steps draw what they learn from: epochs and a seed are all they take."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.emulated import linked, need, need_emulated, run
from tests.exported import (
    BAD_ARENA,
    BAD_ARGUMENT,
    CC,
    OK,
    SEED,
    Exported,
    Library,
    build,
    struct_of,
)
from tests.other_targets import HereAs
from tests.without_data import (
    EPOCHS,
    REPORTED,
    Declared,
    balancing,
    declared,
    exported,
    state_bytes,
    trained,
)

import chainrule as cr
from chainc.backends.llvm.processors.by_name import FAT, processor_named
from chainc.ir.errors import GraphError
from chainc.ir.types import Array
from chainrule.steps.stopping import StoppingRule

STRICT = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror")


@pytest.fixture(scope="module", params=["llvm", pytest.param("c", marks=pytest.mark.nightly)])
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    if CC is None:
        pytest.skip("there is no C compiler")
    folder, target = tmp_path_factory.mktemp("alone"), request.param
    found = exported(folder, declared(), target, "native" if target == "llvm" else None)
    if target == "c":
        build(folder, "alone.c", "-shared", "-fPIC", "-o", "libalone.so")
    return found


def job(epochs: int, history: Array | None, validates: int = 0) -> Array:
    return struct_of([validates, epochs, 0 if history is None else history.ctypes.data])


def the_same(library: Library, state: cr.State) -> bool:
    return library.state().startswith(state_bytes(library.exported.header, state))


# The functions for C


def test_a_training_leaves_the_bits_and_the_history_of_a_run(alone: Exported) -> None:
    result, history = (
        trained(alone.program, seed=3),
        np.full((EPOCHS + 1, 2 + 2 * REPORTED), np.nan),
    )
    library = Library(alone, seed=3)
    assert library.call("evaluate", history) == OK  # of which the history has nothing
    assert library.call("train", job(2, history)) == OK
    assert library.call("train", job(EPOCHS - 2, history[2:])) == OK
    assert the_same(library, result.state)
    np.testing.assert_array_equal(history[:EPOCHS, 0], 1.0)
    np.testing.assert_array_equal(history[:EPOCHS, 1], result.history["loss"])
    np.testing.assert_array_equal(history[:EPOCHS, 2], result.history["most"])
    np.testing.assert_array_equal(history[EPOCHS - 1, 3 : 1 + REPORTED], result.metrics["seen"])
    np.testing.assert_array_equal(history[:EPOCHS, 1 + REPORTED :], 0.0)


def test_what_is_computed_after_each_step_is_what_validation_reports(alone: Exported) -> None:
    start, history = alone.program.initial_state(), np.zeros((3, 2 + 2 * REPORTED))
    result = alone.program.run(validation={}, state=start, epochs=2, progress=False)
    assert Library(alone).call("train", job(2, history, validates=1)) == OK
    np.testing.assert_array_equal(history[:2, 2 + REPORTED], result.history["val_loss"])
    np.testing.assert_array_equal(history[:2, 3 + REPORTED], result.history["val_most"])


def test_steps_evaluation_and_predictions_are_those_of_the_program(alone: Exported) -> None:
    library, outputs = Library(alone), np.zeros(REPORTED)
    for step in range(3):
        state = trained(alone.program, epochs=step).state if step else alone.program.initial_state()
        told = alone.program.evaluate(state=state)
        assert library.call("evaluate", outputs) == OK
        assert outputs[:2].tolist() == [told["loss"], told["most"]]
        assert the_same(library, state)
        assert library.call("step", outputs) == OK
    assert the_same(library, trained(alone.program, epochs=3).state)
    rows = np.random.default_rng(4).standard_normal((600, 3)).astype(np.float32)
    found = np.zeros(600, np.float32)
    assert library.call("predict", rows, ctypes.c_int64(600), found) == OK
    predict = cr.compile(alone.logits).bind(trained(alone.program, epochs=3).state)
    np.testing.assert_array_equal(found, predict(observed=rows))


def test_threads_leave_the_same_bits(alone: Exported) -> None:
    library, history = Library(alone), np.zeros((EPOCHS + 1, 2 + 2 * REPORTED))
    asked = job(EPOCHS, history)
    assert library.call("begin", asked) == OK
    assert library.train_together(asked) == [OK, OK]
    assert library.call("records") == EPOCHS
    assert the_same(library, trained(alone.program).state)


def test_what_cannot_be_is_refused_and_changes_nothing(alone: Exported) -> None:
    library, numbers, number = Library(alone), np.zeros(64), ctypes.c_int64
    before = library.arena.tobytes()
    refused: list[tuple[object, ...]] = [
        ("train", job(0, numbers)),
        ("train", job(2**31 + 1, numbers)),
        ("train", job(1, None)),
        ("train", job(1, numbers, validates=2)),
        ("train", job(1, numbers, validates=-1)),
        ("train", None),
        ("begin", None),
        ("train_thread", job(1, numbers), number(1), number(1)),
        ("step", None),
        ("evaluate", None),
        ("predict", numbers, number(0), numbers),
        ("predict", None, number(1), numbers),
    ]
    for function, *arguments in refused:
        assert library.call(str(function), *arguments) == BAD_ARGUMENT, (function, arguments)
    assert library.arena.tobytes() == before
    assert not numbers.any()
    raw = np.zeros(len(library.arena) + 64, np.uint8)
    other = raw[-raw.ctypes.data % 64 :][: len(library.arena)]
    assert library.call_with(other, "step", numbers) == BAD_ARENA
    assert library.call_with(other[8:], "step", numbers) == BAD_ARGUMENT


# The program beside them


def main_program(folder: Path) -> Path:
    assert CC is not None
    subprocess.run([CC, *STRICT, "main.c", "alone.o", "-o", "alone"], cwd=folder, check=True)
    return folder / "alone"


def told_by(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command, folder = [str(program), *words], program.parent
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
def test_a_program_trains_for_as_many_epochs_from_the_seed_it_is_told(tmp_path: Path) -> None:
    found = exported(tmp_path, declared())
    program, header = main_program(tmp_path), found.header
    for words, seed, epochs in ((["state"], SEED, EPOCHS), (["state", "3", "4"], 4, 3)):
        done, result = told_by(program, *words), trained(found.program, seed, epochs)
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "state").read_bytes().startswith(state_bytes(header, result.state))
        losses = re.findall(r"^epoch \d+: loss (\S+), most", done.stdout, re.M)
        np.testing.assert_allclose(np.array(losses, float), result.history["loss"], rtol=1e-5)
    for words, message in (
        (["state", "x"], "EPOCHS and SEED are whole numbers"),
        (["state", "2", "3x"], "EPOCHS and SEED are whole numbers"),
        (["state", "0"], "EPOCHS begin at 1, and SEED at 0"),
        (["state", "1", "-1"], "EPOCHS begin at 1, and SEED at 0"),
        (["state", "1", "2", "3"], r"usage: alone \[STATE \[EPOCHS \[SEED\]\]\]"),
    ):
        done = told_by(program, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(f"alone: {message}\n", done.stderr)


@pytest.mark.skipif(CC is None, reason="there is no C compiler")
@pytest.mark.parametrize(
    "rule", [cr.TargetValue("loss", 1.0), cr.EarlyStopping("val_loss", patience=2)]
)
def test_a_rule_ends_the_program_where_it_ends_a_run(rule: StoppingRule, tmp_path: Path) -> None:
    program = cr.compile(declared(rule, epochs=50)[0])
    program.export(tmp_path, name="alone", processor="native")
    done = told_by(main_program(tmp_path), "state")
    assert (done.returncode, done.stderr) == (0, "")
    validation: dict[str, Array] | None = {} if "val_" in repr(rule) else None
    result = program.run(validation=validation, progress=False)
    lines = done.stdout.splitlines()
    assert len(lines) == len(result.history["loss"]) < 50
    assert ("validation" in lines[0]) == (validation is not None)
    header = (tmp_path / "alone.h").read_text()
    assert (tmp_path / "state").read_bytes().startswith(state_bytes(header, result.state))


def test_the_readme_and_the_header_say_that_there_are_no_data(tmp_path: Path) -> None:
    header, told = exported(tmp_path, declared()).header, (tmp_path / "README.md").read_text()
    assert "alone_data" not in header
    assert "int alone_step(void *arena, double *outputs);" in header
    assert "#define ALONE_BATCH 256 /* rows that are predicted at once */" in header
    assert "there\nare no data, and an epoch is a step" in told
    assert "./alone alone.state\n" in told


@pytest.mark.parametrize(
    "target", ["c", *(pytest.param(each, marks=pytest.mark.nightly) for each in ("llvm", "wasm"))]
)
def test_exporting_again_writes_the_same_bytes(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time the code is found where it was kept, and graphs are made later."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    what, processor = declared(), "native" if target == "llvm" else None
    first, again = (
        exported(tmp_path / each, what, target, processor).folder for each in ("first", "again")
    )
    for path in first.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_what_is_predicted_has_rows_of_its_own(tmp_path: Path) -> None:
    training, results = declared()
    program, wide = cr.compile(training), cr.input("wide", ("rows", 3))
    with pytest.raises(GraphError, match=r"not a result for each row\n[^§]*first axis is 'rows'"):
        program.export(tmp_path / "no", name="alone", predict=wide.T * cr.mean(results))
    with pytest.raises(GraphError, match=r"not a result for each row\n[^§]*first axis is 'rows'"):
        program.export(tmp_path / "no", name="alone", predict=cr.mean(results))
    assert not (tmp_path / "no").exists()


# Other processors


def left_with(name: str, what: Declared) -> cr.State:
    """What this processor leaves with another one's vectors and registers."""
    target = HereAs(name, processor_named(name))
    return trained(cr.compile(what[0], target=target)).state


def left_by(command: Sequence[str | Path], folder: Path) -> bytes:
    run([*command, "state"], folder)
    return (folder / "state").read_bytes()


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["aarch64", "riscv64", "x86-64"])
def test_an_emulated_processor_leaves_the_bits_of_this_one(name: str, tmp_path: Path) -> None:
    need_emulated(name)
    what = balancing()
    header = exported(tmp_path, what, processor=name).header
    expected = state_bytes(header, left_with(name, what))
    assert left_by(linked(name, tmp_path, "main.c", "alone.o"), tmp_path).startswith(expected)


@pytest.mark.nightly
def test_a_fat_library_chooses_by_what_the_processor_has(tmp_path: Path) -> None:
    need("cc", "qemu-x86_64")
    what = balancing()
    header = exported(tmp_path, what, processor=FAT).header
    run(["cc", *STRICT, "main.c", "libalone.a", "-o", "alone"], tmp_path)
    for cpu, like in (("qemu64", "x86-64"), ("max", "x86-64-v3")):
        expected = state_bytes(header, left_with(like, what))
        left = left_by(["qemu-x86_64", "-cpu", cpu, "./alone"], tmp_path)
        assert left.startswith(expected)


ON_A_BOARD = """\
#include <stdio.h>
#include "alone.h"

static double history[(ALONE_EPOCHS + 1) * ALONE_HISTORY_COLUMNS];

int main(void) {
    static const size_t sizes[ALONE_TENSORS] = {%s};
    static char values[4096];
    alone_job job = {.epochs = ALONE_EPOCHS, .history = history};
    if (alone_init(alone_memory, ALONE_SEED)) return 1;
    if (alone_train(alone_memory, &job)) return 2;
    for (int i = 0; i < ALONE_TENSORS; i++) {
        if (alone_get(alone_memory, i, values)) return 3;
        fwrite(values, 1, sizes[i], stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("declare", [declared, pytest.param(balancing, marks=pytest.mark.nightly)])
def test_a_board_leaves_the_bits_of_a_processor_that_fuses_nothing(
    declare: Callable[[], Declared], tmp_path: Path
) -> None:
    need_emulated("cortex-m4")
    what = declare()
    header = exported(tmp_path, what, processor="cortex-m4").header
    sizes = ", ".join(re.findall(r"#define (ALONE_BYTES_\w+)", header))
    (tmp_path / "main.c").write_text(ON_A_BOARD % sizes)
    found = run(linked("cortex-m4", tmp_path, "main.c", "alone.o"), tmp_path)
    assert found.startswith(state_bytes(header, left_with("cortex-m4", what)))
