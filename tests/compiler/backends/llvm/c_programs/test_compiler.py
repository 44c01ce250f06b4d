"""The C compiler of this system: which one it is, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.llvm.c_programs import compiler as c_compiler
from chainc.backends.llvm.c_programs.compiler import SharedObject, compiler, shared_object


def test_the_environment_names_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "cc -g3")
    command = compiler()
    assert Path(command[0]).name == "cc"
    assert command[1:] == ("-g3",)
    monkeypatch.delenv("CC")
    assert len(compiler()) == 1


def test_source_takes_no_compiler_but_a_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    x = cr.input("x", (3,))
    function = cr.compile(x * 2.0, target="c")
    assert "\nvoid run(" in function.source
    with pytest.raises(
        cr.GraphError,
        match=r"no 'no-such-compiler'\n.*where: .*test_compiler.py:\d+\n.*try: install gcc",
    ):
        function(x=np.ones(3, np.float32))


def test_what_the_compiler_refuses_is_shown() -> None:
    with pytest.raises(
        cr.GraphError,
        match=r"does not compile the program:\n(.|\n)*error(.|\n)*where: .*\n.*try: take gcc",
    ):
        shared_object("int main(void) { return 0 }\n")


def test_a_library_is_made_once_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "int twice(int x) { return 2 * x; }\n"
    made = shared_object(text)
    monkeypatch.setattr(c_compiler, "_made", None)  # it is not asked again
    assert shared_object(text) == made
    function = SharedObject(lambda: shared_object(text)).function("twice", None, [])
    assert function() is None
