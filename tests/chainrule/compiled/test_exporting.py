"""An exported training: the same bits as a run in this process, and nothing that it needs."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.exported import CC, ROWS, Exported, data, exported_digits

import chainrule as cr
from chainc.ir.errors import ExportError, GraphError, InputError, LinkingError
from chainc.ir.types import Array
from chainrule import init, losses, nn, optim

STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
NEEDS_CC = pytest.mark.skipif(CC is None, reason="there is no C compiler")
HELD_OUT = 37


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    if CC is None:
        pytest.skip("there is no C compiler")
    return exported_digits(tmp_path_factory.mktemp("exported") / "new" / "folder")


@pytest.fixture(scope="module")
def executable(digits: Exported) -> Path:
    assert CC is not None
    options = ["-std=c11", "-O1", *STRICT]
    made = run([CC, *options, "main.c", "digits.o", "-o", "digits"], digits.folder)
    assert made.returncode == 0, made.stderr
    return digits.folder / "digits"


def run(command: Sequence[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def data_file(
    folder: Path,
    training: Mapping[str, Array],
    validation: Mapping[str, Array] | None = None,
    flags: int = 0,
) -> bytes:
    parts = [training] if validation is None else [training, validation]
    held_out = 0 if validation is None else len(validation["y"])
    content = b"CHAINDAT" + struct.pack("<3q", len(training["y"]), held_out, flags)
    content += b"".join(part[key].tobytes() for part in parts for key in ("x", "y"))
    (folder / "digits.data").write_bytes(content)
    return content


# The whole way: compile main.c, run it without Python


def test_a_process_without_python_leaves_the_bits_of_a_run_in_this_one(
    digits: Exported, executable: Path, tmp_path: Path
) -> None:
    training, validation = data(), data(HELD_OUT, 1)
    data_file(tmp_path, training, validation)
    done = run([executable, "digits.data", "state"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    result = digits.program.run(training, validation=validation, progress=False)
    assert (tmp_path / "state").read_bytes() == digits.state_bytes(result.state)
    lines = done.stdout.splitlines()
    printed = [list(map(float, re.findall(r"[\d.]+(?=,|$)", line))) for line in lines]
    np.testing.assert_allclose(printed, np.array(list(result.history.values())).T, rtol=1e-5)
    words = [re.sub(r"\d+\.\d+", "_", line) for line in lines]
    told = "loss _, accuracy _, validation loss _, validation accuracy _"
    assert words == [f"epoch {epoch}: {told}" for epoch in (1, 2, 3)]


def odd_program() -> tuple[cr.TrainingProgram, dict[str, Array]]:
    """Names that C does not have, indices that are data, no bytes, an input without rows."""
    words, topic = cr.input("wörds", ("batch", 5), "int32"), cr.input("rows", ("batch",), "uint8")
    table = cr.parameter("table *?? é", (11, 4), init.orthogonal(), dtype="float64")
    weight = cr.parameter("table_e", (4, 3), init.orthogonal(), dtype="float64")
    scale = cr.input("scale", (3,), dtype="float64")
    logits = cr.mean(cr.take(table, words, axis=0), axis=1) @ weight + scale
    measured = {"batch": cr.mean(logits), "rows": cr.max(logits)}
    optimizer = optim.NAdam(
        lr=0.01,
        signal=[optim.clip.by_global_norm(1.0), optim.noise(0.01), optim.accumulate(2)],
        average=optim.averages.ema(0.9),
    )
    step = optimizer.minimize(losses.cross_entropy(logits, topic))
    declared = cr.training(step, epochs=2, batch_size=8, shuffle=False, metrics=measured)
    rng = np.random.default_rng(8)
    rows: dict[str, Array] = {
        "wörds": rng.integers(0, 11, (50, 5)).astype(np.int32),
        "rows": rng.integers(0, 3, 50).astype(np.uint8),
        "scale": np.zeros(3),
    }
    return cr.compile(declared, target="llvm"), rows


@NEEDS_CC
def test_other_types_names_and_optimizers_leave_the_same_bits(tmp_path: Path) -> None:
    program, rows = odd_program()
    program.export(tmp_path, name="odd", processor="native")
    assert CC is not None
    made = run([CC, "-std=c11", *STRICT, "main.c", "odd.o", "-o", "odd"], tmp_path)
    assert made.returncode == 0, made.stderr
    content = b"CHAINDAT" + struct.pack("<3q", 50, 0, 0)
    content += b"".join(rows[key].tobytes() for key in ("wörds", "rows"))
    (tmp_path / "odd.data").write_bytes(content)
    done = run([tmp_path / "odd", "odd.data", "state"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    result = program.run(rows, progress=False)
    constants = re.findall(r"TENSOR_(\w+), /\* (.*): ", (tmp_path / "odd.h").read_text())
    told = [key for _, key in constants][: len(result.state)]
    written = {re.sub(r"[^A-Za-z0-9_/ ]", "_", key): value for key, value in result.state.items()}
    assert sorted(told) == sorted(written)
    expected = b"".join(written[key].tobytes() for key in told)
    assert (tmp_path / "state").read_bytes()[: len(expected)] == expected
    assert len({constant for constant, _ in constants}) == len(constants)


@NEEDS_CC
def test_an_input_that_the_passes_leave_out_has_rows_all_the_same(tmp_path: Path) -> None:
    x, y = cr.input("x", ("batch", 2)), cr.input("y", ("batch",), "int32")
    drawn = cr.normal((x.shape[0], 2)) @ cr.parameter("w", (2,), 1.0)
    aside = cr.where(cr.constant(True), drawn, x[:, 0])
    loss = cr.mean(cr.square(aside - cr.astype(y, "float32")))
    declared = cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=2, batch_size=8)
    program = cr.compile(declared)
    program.export(tmp_path, name="odd", processor="native")
    assert CC is not None
    made = run([CC, "-std=c11", *STRICT, "main.c", "odd.o", "-o", "odd"], tmp_path)
    assert made.returncode == 0, made.stderr
    rows = {"x": np.ones((11, 2), np.float32), "y": np.arange(11, dtype=np.int32)}
    content = b"CHAINDAT" + struct.pack("<3q", 11, 0, 0) + rows["x"].tobytes() + rows["y"].tobytes()
    (tmp_path / "odd.data").write_bytes(content)
    done = run([tmp_path / "odd", "odd.data", "state"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    state = program.run(rows, progress=False).state
    expected = state["step"].tobytes() + state["w"].tobytes()
    assert (tmp_path / "state").read_bytes().startswith(expected)


def test_outputs_may_have_the_names_of_the_programs_own_functions(tmp_path: Path) -> None:
    x = cr.input("x", ("batch", 3))
    prediction = cr.sum(cr.square(x) * cr.parameter("w", (3,), 1.0), axis=1)
    ours = ["begin", "clear", "initial", "predict", "train", "version", "work", "constant"]
    ours += ["train.loop", "arena.check", "constant.1", "exp.f32", "own_train", "own_predict"]
    measured = {name: cr.mean(prediction + i) for i, name in enumerate(ours)}
    step = optim.SGD(lr=0.1).minimize(cr.mean(prediction))
    declared = cr.training(step, epochs=1, batch_size=8, metrics=measured)
    program = cr.compile(declared)
    paths = program.export(tmp_path, name="own", predict=prediction, processor="native")
    assert {path.name for path in paths} >= {"own.h", "own.o"}
    found = program.evaluate({"x": np.ones((8, 3))}, program.initial_state())
    assert list(found.values()) == [3.0, *(3.0 + i for i in range(len(ours)))]


def test_images_of_bytes_are_trained_on_as_they_are(
    digits: Exported, executable: Path, tmp_path: Path
) -> None:
    training = data()
    training["x"] = np.random.default_rng(2).integers(0, 256, (ROWS, 64)).astype(np.uint8)
    data_file(tmp_path, training, flags=digits.number("UINT8_X"))
    assert run([executable, "digits.data", "state"], tmp_path).returncode == 0
    result = digits.program.run(training, progress=False)
    assert (tmp_path / "state").read_bytes() == digits.state_bytes(result.state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-1], "cut short, or too long"),
        (lambda content: content + b"\0", "cut short, or too long"),
        (lambda content: content[:20], "cut short"),
        (lambda content: b"chaindat" + content[8:], "does not begin with CHAINDAT"),
        (lambda content: content[:8] + struct.pack("<q", 2**62) + content[16:], "no rows"),
        (lambda content: content[:8] + struct.pack("<q", 0) + content[16:], "no rows"),
        (lambda content: content[:16] + struct.pack("<q", -1) + content[24:], "damaged"),
        (
            lambda content: content[:24] + struct.pack("<q", 2) + content[32:],
            "that cannot",
        ),
        (lambda content: content[:-4] + struct.pack("<i", 10), "label that is out of range"),
        (lambda content: content[:-4] + struct.pack("<i", -1), "label that is out of range"),
    ],
)
def test_a_data_file_that_is_wrong_ends_the_program_with_a_message(
    executable: Path, tmp_path: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    content = data_file(tmp_path, data())
    (tmp_path / "digits.data").write_bytes(change(content))
    done = run([executable, "digits.data", "state"], tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(rf"digits: .*{message}\n", done.stderr)
    assert not (tmp_path / "state").exists()


def test_no_data_file_ends_the_program_with_a_message(executable: Path, tmp_path: Path) -> None:
    done = run([executable, "nothing"], tmp_path)
    assert (done.returncode, done.stderr) == (1, "digits: the data file cannot be opened\n")


# What the files need


@pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm")
def test_object_and_library_need_no_symbol_and_show_no_other_names(digits: Exported) -> None:
    for name in ("digits.o", "libdigits.so"):
        assert run(["nm", "-u", name], digits.folder).stdout.strip() in ("", f"{name}:")
    shown = re.findall(r" T (\w+)", run(["nm", "-g", "digits.o"], digits.folder).stdout)
    declared = re.findall(r"^[^ /*].*\b(digits_\w+)\(.*\);", digits.header, re.M)
    assert sorted(shown) == sorted(declared)


def test_the_portable_library_is_small(digits: Exported, tmp_path: Path) -> None:
    digits.program.export(tmp_path, name="digits", predict=digits.logits)
    assert (tmp_path / "libdigits.so").stat().st_size <= 64 * 1024


@pytest.mark.parametrize("compiler", [("cc", "-std=c11", "-xc"), ("g++", "-std=c++17", "-xc++")])
def test_the_header_stands_alone(digits: Exported, compiler: Sequence[str], tmp_path: Path) -> None:
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"there is no {compiler[0]}")
    (tmp_path / "alone.c").write_text('#include "digits.h"\n#include "digits.h"\n')
    command = [*compiler, *STRICT, "-fsyntax-only", f"-I{digits.folder}", "alone.c"]
    done = run(command, tmp_path)
    assert done.returncode == 0, done.stderr


def test_exporting_again_writes_the_same_bytes(digits: Exported, tmp_path: Path) -> None:
    paths = digits.program.export(
        tmp_path, name="digits", predict=digits.logits, processor="native"
    )
    assert [path.name for path in paths] == [
        "digits.o",
        "libdigits.so",
        "digits.h",
        "main.c",
        "README.md",
    ]
    for path in paths:
        assert path.read_bytes() == (digits.folder / path.name).read_bytes()


AFTER_A_BROWSER = """
import os, sys
from pathlib import Path
import chainrule as cr
from chainc.backends.llvm.machine_code.jit import machine_code
from chainc.backends.llvm.processors.wasm32 import WASM32
from chainrule import optim

weights = [cr.parameter(f"w{i}", (3 + i,), 0.1) for i in range(6)]  # so that get has many cases
loss = sum((cr.mean(cr.square(each)) for each in weights[1:]), cr.mean(cr.square(weights[0])))
training = cr.training(optim.Adam(lr=0.1).minimize(loss), epochs=2)
for name in ("before", "after"):
    os.environ["XDG_CACHE_HOME"] = str(Path(name, "cache").absolute())
    cr.compile(training, target="numpy").export(name, name="many")
    machine_code("define i32 @f(i32 %x) { ret i32 %x }", WASM32, ["f"])
sys.exit(Path("before/many.o").read_bytes() != Path("after/many.o").read_bytes())
"""


def test_code_does_not_depend_on_what_was_compiled_before(tmp_path: Path) -> None:
    done = run([sys.executable, "-c", AFTER_A_BROWSER], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


# What is refused


def small_training(logits_of: Callable[[cr.Node], cr.Node]) -> tuple[cr.TrainingProgram, cr.Node]:
    """A small training, and a node over its input."""
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch",), dtype="int32")
    step = optim.SGD(lr=0.1).minimize(losses.cross_entropy(nn.Linear(3, 2)(x), y))
    return cr.compile(cr.training(step, epochs=1, batch_size=4)), logits_of(x)


@pytest.mark.parametrize("name", ["", "two words", "1st", "a-b", "é", "-o", "../up", "x" * 65, 7])
def test_a_name_that_is_none_in_c_is_refused(tmp_path: Path, name: str) -> None:
    program, _ = small_training(lambda x: x)
    with pytest.raises(InputError, match=r"is no name for a library\n.*\n  try: use a word"):
        program.export(tmp_path / "new", name=name)
    assert not (tmp_path / "new").exists()


def test_an_unknown_processor_is_refused(tmp_path: Path) -> None:
    program, _ = small_training(lambda x: x)
    with pytest.raises(InputError, match=r'no processor .Z80.\n.*\n  try: use "portable"'):
        program.export(tmp_path, name="digits", processor="Z80")


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (cr.mean, "not a result for each row"),
        (lambda _: "logits", "is 'logits', which is no node"),
        (lambda x: cr.permute_dims(x, (1, 0)), "not a result for each row"),
        (nn.Linear(3, 2), "which this training does not have"),
        (lambda _: cr.input("x", ("batch", 5)), r"has the input x .*, the training one of type"),
        (lambda x: x + cr.mean(cr.input("z", ("other", 3))), "which is not made of rows"),
    ],
)
def test_a_prediction_that_does_not_fit_is_refused(
    tmp_path: Path, predict: Callable[[cr.Node], cr.Node], message: str
) -> None:
    program, node = small_training(predict)
    with pytest.raises(GraphError, match=rf"export: predict .*{message}.*\n.*\n  try: "):
        program.export(tmp_path, name="small", predict=node)
    assert list(tmp_path.iterdir()) == []


def test_without_a_linker_an_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, _ = small_training(lambda x: x)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(LinkingError, match=r"there is no linker.*\n.*\n  try: .*chainrule\[aot\]"):
        program.export(tmp_path / "new", name="small")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_an_error_that_says_why(
    digits: Exported, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExportError, match=r"cannot write .*: Not a directory\n.*\n  try: choose"):
        digits.program.export(tmp_path / "file" / "out", name="digits")
