"""Files of C: their text, and what compilers say of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

import chainrule as cr
from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.function_code import function_code
from chainc.backends.llvm.processors.x86_64_v3 import X86_64_V3
from chainc.backends.llvm.training_code import training_code
from chainc.schedules.layout.access import Capacity
from chainc.schedules.training.layout import JOB_WORDS
from chainrule import losses, metrics, optim

STRICT = ("-Wall", "-Wextra", "-Werror", "-Wno-psabi")
COMPILERS = {
    "gcc": [found] if (found := shutil.which("gcc")) else None,
    "clang": [found]
    if (found := shutil.which("clang"))
    else [sys.executable, "-m", "ziglang", "cc"]
    if find_spec("ziglang")
    else None,
}


@cache
def function() -> str:
    """Of four rows, a layer with its activation, for any processor with AVX2."""
    x, w = cr.input("x", ("batch", 2)), cr.parameter("weight", (2, 8), 0.1)
    program = cr.compile(cr.relu(x @ w + cr.parameter("bias", (8,), 0.2)))._compiled.program
    return function_code(program, Capacity({"batch": 4}), X86_64_V3).c.text()


@cache
def training() -> str:
    """Two layers, with shuffling and a metric."""
    x, y = cr.input("x", ("batch", 5)), cr.input("y", ("batch",), dtype="int32")
    hidden = cr.tanh(x @ cr.parameter("first", (5, 24), 0.5))
    logits = hidden @ cr.parameter("second", (24, 3), 0.5)
    step = optim.Adam(lr=0.1).minimize(losses.cross_entropy(logits, y))
    declared = cr.training(
        step, epochs=2, batch_size=8, metrics={"accuracy": metrics.accuracy(logits, y)}
    )
    return training_code(cr.compile(declared)._compiled.loop, X86_64_V3, 1).c.text()


def body(text: str, name: str) -> str:
    """The function of that name, with its comment."""
    found = re.search(rf"^//[^\n]*\nstatic \w+ {name}\((.|\n)*?^}}\n", text, re.M)
    assert found is not None, name
    return found[0]


def test_the_text_of_a_function(golden: Callable[[str, str], None]) -> None:
    golden("layer.c", without_lines(function()))


def test_the_text_of_a_training_loop(golden: Callable[[str, str], None]) -> None:
    names = ("step_gather", "step_2", "train_steps", "train_loop")
    golden("training.c", without_lines("\n".join(body(training(), name) for name in names)))


def without_lines(text: str) -> str:
    """The same wherever the program stands in its file."""
    return re.sub(r"(test_file\.py):\d+", r"\1", text)


@pytest.mark.parametrize("text", [function, training], ids=["function", "training"])
def test_a_compiler_complains_of_nothing(text: Callable[[], str], tmp_path: Path) -> None:
    assert complaints("gcc", text(), tmp_path, "-fsyntax-only") == ""
    more = "static int unused(int x) { return 0; }\n"
    assert "unused" in complaints("gcc", text() + more, tmp_path, "-fsyntax-only")


@pytest.mark.nightly
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("wide", [True, False], ids=["vectors", "without"])
def test_compilers_complain_of_nothing_when_they_optimize(
    compiler: str, wide: bool, tmp_path: Path
) -> None:
    """Also for a processor whose vectors are narrower than those of the file."""
    narrow = [] if wide else ["-mno-avx"]
    for text in (function(), training()):
        more = ("-c", "-O2", "-march=native", *narrow)
        assert complaints(compiler, text, tmp_path, *more) == ""


def complaints(compiler: str, text: str, folder: Path, *more: str) -> str:
    command = COMPILERS[compiler]
    if command is None:
        pytest.skip(f"there is no {compiler}")
    file = folder / "program.c"
    file.write_text(text, encoding="utf-8")
    flags = [flag for flag in FLAGS if flag not in ("-O2", "-march=native")]
    asked = [*command, *flags, *STRICT, *more, "-o", str(folder / "program.o"), str(file)]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (said.returncode == 0) == (said.stderr == "")
    return said.stderr


def test_a_line_knows_its_user_s_line() -> None:
    assert re.search(r"^// relu .* test_file.py:\d+\nstatic void relu\(", function(), re.M)


def test_what_a_caller_gives_is_said_at_the_end() -> None:
    said = re.findall(r"^// (\w+\[\d+\]): (.*)$", training(), re.M)
    assert ("table[0]", "first") in said
    assert ("job[0]", "rows of the data") in said
    assert len([place for place, _ in said if place.startswith("job")]) == JOB_WORDS


def test_names_of_users_never_meet_those_of_c() -> None:
    """An input may be called like a type, a function of the file, or nothing at all."""
    names = ("f32x8", "double", "load_f32x8", "rows", "exp", "größe", "gr_e")
    inputs = [cr.input(name, ("batch", 8)) for name in names]
    total = cr.exp(inputs[0])
    for each in inputs[1:]:
        total = total + each
    shown = cr.compile(total).c
    heads = re.findall(r"^static void \w+\((?:.|\n)*?\) \{$", shown, re.M)
    (sum_of_all,) = [head for head in heads if "double_" in head]
    given = re.findall(r"\*restrict (\w+)", sum_of_all)
    assert len(set(given)) == len(given) == len(names) + 1
