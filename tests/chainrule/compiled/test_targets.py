"""Targets behind one protocol: those there are, and one of the user's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.epochs import Arrays, Epochs
from chainc.backends.listing import Line, Listing
from chainc.backends.target import ExecutableTraining, Figures, GeneratedCode, Run, Target
from chainc.driver import TARGETS, target_named
from chainc.interpreters import reference
from chainc.ir import Graph
from chainc.ir.types import Array
from chainc.lowering.program import Program, TrainingLoop
from chainrule import losses, optim
from chainrule.compiled.compiled import Compiled


class Words:
    """Code that is a sentence."""

    codes = ("words",)
    source = "compute it"
    figures = Figures(kernels=1)
    storage = None

    def text(self, code: str) -> str:
        assert code == "words"
        return self.source

    def listing(self, code: str) -> Listing:
        return Listing((Line(self.text(code)),))


class Interpreted:
    """A function that asks the reference interpreter."""

    def __init__(self, graph: Graph, program: Program, calls: list[str]) -> None:
        self.graph = graph
        self.inputs = [buffer.key for buffer in program.inputs]
        self.calls = calls

    def bind(self, state: Mapping[str, Array], *sizes: int) -> Run:
        self.calls.append(f"bind {sizes}")

        def run(*arrays: Array) -> tuple[Array, ...]:
            given = dict(zip(self.inputs, arrays, strict=True))
            results = reference.evaluate(self.graph, given, state).outputs
            types = [node.type.dtype.numpy for node in self.graph.outputs]
            return tuple(np.asarray(r, dtype) for r, dtype in zip(results, types, strict=True))

        return run

    def generated(self, *sizes: int) -> GeneratedCode:
        self.calls.append(f"generated {sizes}")
        return Words()


class Idle:
    """A loop that says how often it would have run."""

    byte_inputs: Collection[str] = ()

    def run(
        self,
        data: Arrays,
        validation: Arrays | None,
        state: Arrays,
        epochs: int,
        stop: Callable[[], bool],
        *,
        every: Callable[[], int] | None = None,
        steps: int | None = None,
    ) -> Iterator[Epochs]:
        yield Epochs(np.ones(epochs), np.full((epochs, 1), 7.0), None)

    def evaluate(self, data: Arrays, state: Arrays) -> Array:
        return np.array([3.0])


class Recorder:
    """A target that notes what it is asked for."""

    name = "recorder"
    language = "English"
    can_watch = False

    def __init__(self) -> None:
        self.calls: list[str] = []

    def compile_function(self, graph: Graph, program: Program) -> Interpreted:
        self.calls.append("compile_function")
        return Interpreted(graph, program, self.calls)

    def compile_training(self, loop: TrainingLoop, threads: int | None) -> ExecutableTraining:
        self.calls.append(f"compile_training {loop.batch_size} {threads}")
        return ExecutableTraining(Idle(), Words())


def declared(*, watch: bool = False) -> cr.Training:
    x = cr.input("x", ("batch", 2))
    w = cr.parameter("w", (2, 1), 0.5)
    loss = losses.squared_error(x @ w, cr.sum(x, axis=1, keepdims=True))
    return cr.training(optim.SGD(lr=0.1).minimize(loss), epochs=3, batch_size=4, watch=watch)


def test_names_are_those_of_the_targets() -> None:
    assert tuple(TARGETS) == ("llvm", "numpy", "c", "wasm")
    for name, target in TARGETS.items():
        assert target.name == name
        assert target_named(name) is target
    own = Recorder()
    assert target_named(own) is own


@pytest.mark.parametrize("name", ["cuda", "LLVM", "", 3, None])
def test_other_names_are_refused(name: object) -> None:
    given: dict[str, object] = {"target": name}
    with pytest.raises(cr.GraphError, match="there is no target") as caught:
        cr.compile(cr.input("x"), **given)  # type: ignore[call-overload]
    assert "'llvm', 'numpy'" in str(caught.value)


def test_a_function_runs_on_a_target_of_ones_own() -> None:
    x = cr.input("x", ("batch", 3))
    w = cr.parameter("w", (3,), cr.init.uniform(1.0, 2.0))
    target = Recorder()
    function = cr.compile(cr.tanh(x * w), target=target)
    assert target.calls == ["compile_function"]
    given = np.ones((4, 3), np.float32)
    state = function.initial_state()
    bound = function.bind(state)
    assert target.calls == ["compile_function"] * 2 + ["bind ()"]  # that of the first values
    assert np.allclose(bound(x=given), np.tanh(np.asarray(state["w"], np.float32) * given))
    assert target.calls[-1] == "bind (4,)"


def test_a_program_shows_what_its_target_shows() -> None:
    function = cr.compile(cr.input("x") * 2.0, target=Recorder())
    programs: list[Compiled] = [function, cr.compile(declared(), target=Recorder())]
    for program in programs:
        assert program.source == "compute it"
        assert program.codes == ("words",)
        assert program.provenance().lines[0].text == "compute it"
        assert program.summary().target == "recorder"
        assert program.summary().kernels == 1
        for wanted in ("loops", "c", "llvm", "assembly", "plan"):
            with pytest.raises(cr.GraphError, match="'recorder' has no machine code") as caught:
                getattr(program, wanted)
            assert "its English is program.source" in str(caught.value)


def test_a_training_runs_on_a_target_of_ones_own() -> None:
    target = Recorder()
    program = cr.compile(declared(), target=target, threads=2)
    assert target.calls == ["compile_training 4 2"]
    rows = {"x": np.ones((4, 2), np.float32)}
    result = program.run(rows)
    assert result.history == {"loss": (7.0, 7.0, 7.0)}
    assert program.evaluate(rows, result.state) == {"loss": 3.0}


def test_a_target_need_not_say_what_a_kernel_takes() -> None:
    function = cr.compile(cr.input("x") * 2.0, target=Recorder())
    program = cr.compile(declared(), target=Recorder())
    calls: list[Callable[[], object]] = [
        lambda: function.profile(x=1.0),
        lambda: program.profile({"x": np.ones((4, 2), np.float32)}),
    ]
    for profile in calls:
        with pytest.raises(cr.GraphError, match="'recorder' does not say what a kernel") as caught:
            profile()
        assert "test_targets.py" in caught.value.where
        assert 'compile for "llvm" or "numpy"' in caught.value.hint


@pytest.mark.parametrize("target", ["numpy", Recorder()], ids=["numpy", "recorder"])
def test_a_target_that_cannot_watch_is_not_asked_to(target: str | Target) -> None:
    with pytest.raises(cr.GraphError, match="watched cannot be compiled for") as caught:
        cr.compile(declared(watch=True), target=target)
    assert 'target="llvm"' in str(caught.value)


def test_what_makes_machine_code_is_imported_when_it_is_first_used(tmp_path: Path) -> None:
    program = (
        "import sys, chainrule as cr; y = cr.input('x') * 2.0\n"
        "heavy = ('llvmlite', 'chainc.backends.llvm.host', 'chainc.backends.llvm.printing')\n"
        "cr.compile(y, target='numpy')(x=1.0)\n"
        "assert not any(name in sys.modules for name in heavy), sys.modules\n"
        "assert cr.compile(y)(x=1.0) == 2.0\n"
        "assert [name for name in heavy if name in sys.modules] == list({expected})\n"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    for expected in ("heavy", "heavy[1:2]"):  # what is kept needs neither LLVM nor its text
        command = [sys.executable, "-c", program.replace("{expected}", expected)]
        subprocess.run(command, check=True, env=environment)
