"""A module in parts is the same machine code, whoever makes it and how many at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.llvm.host import training_start
from chainc.backends.llvm.machine_code import emission
from chainc.backends.llvm.machine_code.emission import object_files
from chainc.backends.llvm.machine_code.jit import assembly, loaded, machine_code
from chainc.backends.llvm.machine_code.texts import labelled
from chainc.backends.llvm.printing.module import Module
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.training_code import training_code
from chainrule import losses, nn, optim

SMALL = 2000  # characters: a kernel or two in a part
ENTRIES = ("bind", "train", "validate", "store")


def declared() -> cr.Training:
    """With an elementary function, draws, and layers whose kernels differ."""
    x = cr.input("x", ("batch", 5))
    layers = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Dropout(0.3), nn.Linear(7, 3))
    loss = losses.cross_entropy(layers(x), cr.input("y", ("batch",), dtype="int32"))
    return cr.training(optim.SGD(lr=0.1, momentum=0.9).minimize(loss), epochs=2, batch_size=4)


DATA = {
    "x": np.random.default_rng(0).standard_normal((18, 5)).astype(np.float32),
    "y": np.arange(18, dtype=np.int32) % 3,
}


@cache
def module() -> Module:
    loop = cr.compile(declared())._compiled.loop
    return training_code(loop, host(), 1).module


def functions(texts: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The instructions of each; labels are numbered by module, and calls spelled by linkage."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name = ""
        for line in assembly(text, host()).splitlines():
            label = labelled(line)
            if label is not None:
                name = label
                found[name] = []
            elif line.startswith("\t") and not line.lstrip().startswith((".", "#")):
                instruction = line.partition("#")[0].strip()
                found[name].append(re.sub(r"\.L(BB|CPI)\d+_|@PLT", "", instruction))
    return found


def test_parts_are_the_same_instructions_as_the_whole() -> None:
    parts = module().parts(SMALL)
    assert len(parts) > 5
    whole = functions([module().text()])
    assert functions(parts) == whole
    assert len(whole) > 20


def test_parts_have_about_the_size_that_was_asked_for() -> None:
    _, *kernels = module().parts(SMALL)
    longest = max(len(kernel) for kernel in module().parts(1)[1:])
    assert all(len(part) <= SMALL + longest for part in kernels)
    assert module().parts(10**9) == [module().text()]


def test_parts_are_there_before_all_is_written() -> None:
    """What trains is the same as in one module, and its kernels come first."""
    loop = cr.compile(declared())._compiled.loop
    parts: list[str] = []
    early = training_code(loop, host(), 1)
    early.hand_over(SMALL, parts.append)
    heads = [at for at, part in enumerate(parts) if "@train(" in part]
    assert len(parts) > 4
    assert heads == [len(parts) - 2]  # before it what is full, behind it the rest
    assert functions(parts) == functions([training_code(loop, host(), 1).train_module.text()])
    again: list[str] = []
    early.hand_over(SMALL, again.append)  # where all has been written before
    assert functions(again) == functions(parts)
    whole: list[str] = []
    training_code(loop, host(), 1).hand_over(10**9, whole.append)
    assert len(whole) == 1


def test_threads_of_python_take_turns_as_before() -> None:
    before = sys.getswitchinterval()

    class Looking:
        def text(self) -> str:
            return module().text()

        def hand_over(self, size: int, take: Callable[[str], None]) -> None:
            seen.append(sys.getswitchinterval())
            object_files(module(), host())  # another compile ends meanwhile
            seen.append(sys.getswitchinterval())
            module().hand_over(size, take)

    seen: list[float] = []
    assert object_files(Looking(), host())
    assert seen == [emission.TURN] * len(seen)
    assert sys.getswitchinterval() == before


def test_parts_that_are_made_at_once_are_those_made_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(emission, "cores", lambda: 3)
    monkeypatch.setattr(emission, "SIZE", SMALL)
    one_by_one = [machine_code(text, host()) for text in module().parts(SMALL)]
    for _ in range(5):
        assert object_files(module(), host()) == one_by_one
    first, *others = one_by_one
    assert loaded([first, *others], ENTRIES).function("bind", None, []) is not None


def test_a_single_core_makes_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emission, "cores", lambda: 1)
    monkeypatch.setattr(emission, "SIZE", SMALL)
    assert object_files(module(), host()) == [machine_code(module().text(), host())]


def test_a_llvmlite_without_that_function_makes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emission, "cores", lambda: 2)
    monkeypatch.setattr(emission, "SIZE", SMALL)
    usual = object_files(module(), host())
    monkeypatch.setattr(emission, "_unlocked", lambda: None)
    assert object_files(module(), host()) == usual


def test_what_llvm_refuses_is_an_error() -> None:
    class Broken:
        def text(self) -> str:
            return "define void @f("

        def hand_over(self, size: int, take: Callable[[str], None]) -> None:
            take(self.text())
            take(self.text())

    with pytest.raises(RuntimeError, match="expected type"):
        object_files(Broken(), host())
    assert object_files(module(), host())  # the machines are back in their places


LATE = """
import threading
from tests.compiler.backends.llvm.machine_code.test_emission import DATA, SMALL, declared
import chainrule as cr
from chainc.backends.llvm.machine_code import emission

emission.cores, emission.SIZE = (lambda: 2), SMALL
main = threading.current_thread()

def late():
    main.join()
    print(*cr.compile(declared()).run(DATA, progress=False).history)

threading.Thread(target=late).start()
"""


def test_a_thread_compiles_when_the_main_one_has_ended(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LATE], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "loss\n"
    assert done.stderr == ""


def test_a_training_runs_the_same_in_parts_and_out_of_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = []
    for number, size in enumerate((10**9, SMALL, SMALL)):
        if number < 2:
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        else:
            monkeypatch.delattr(training_start, "object_files")  # nothing is made again
        monkeypatch.setattr(emission, "cores", lambda: 2)
        monkeypatch.setattr(emission, "SIZE", size)
        program = cr.compile(declared())
        found.append(program.run(DATA, validation=DATA, progress=False))
    whole, parts, kept = found
    assert parts.state == whole.state == kept.state
    assert parts.history == whole.history == kept.history


def test_a_function_that_is_kept_in_parts_has_its_figures_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The whole of the same text is another object: it is not taken for the parts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(emission, "cores", lambda: 2)
    monkeypatch.setattr(emission, "SIZE", SMALL)
    function = cr.compile(cr.tanh(cr.softmax(cr.input("x", (5, 7))) @ cr.input("w", (7, 3))))
    function(x=np.ones((5, 7), np.float32), w=np.ones((7, 3), np.float32))
    assert "machine code" in str(function.summary())
