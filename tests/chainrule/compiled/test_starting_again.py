"""What an earlier process has compiled starts again: nothing is lowered, and the bits are equal."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc import driver, ir
from chainc.backends import compiled_cache
from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.c_programs import compiler
from chainc.ir.types import Array
from chainrule import init, losses, nn, optim
from chainrule.compiled import starting
from chainrule.compiled.training import TrainingProgram

DATA = {
    "x": np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32),
    "y": np.arange(20, dtype=np.int32) % 4,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "chainrule"


def declared(batch_size: int = 8, *, scale: float = 1.0, watch: bool = False) -> cr.Training:
    x, y = cr.input("x", ("batch", 6)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))(x)
    loss = losses.cross_entropy(logits * scale, y)
    step = optim.Adam(lr=0.1).minimize(loss)
    metrics = {"largest": cr.max(logits)}
    return cr.training(step, epochs=2, batch_size=batch_size, metrics=metrics, watch=watch)


def trained(program: TrainingProgram) -> cr.Result:
    return program.run(DATA, validation=DATA, progress=False)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> tuple[cr.Result, Path]:
    """What a training leaves where nothing was kept: its result, and the cache."""
    home = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        return trained(cr.compile(declared())), home / "chainrule"


@pytest.fixture
def first(earlier: tuple[cr.Result, Path], folder: Path) -> cr.Result:
    """The result of the earlier training, whose cache this test has."""
    shutil.copytree(earlier[1], folder)
    return earlier[0]


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def lowered(*_: object) -> None:
        raise AssertionError("a pass ran")

    monkeypatch.setattr(driver, "optimize", lowered)


def test_a_training_starts_again_without_a_pass(
    first: cr.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        refuse(patch)
        program = cr.compile(declared())
        second = trained(program)
        found = program.evaluate(DATA, second.state)
    assert second.state == first.state
    assert second.history == first.history
    assert found["loss"] == first.history["val_loss"][-1]
    assert "largest" in found  # which is computed from all rows at once


FIRST: list[init.InitializerLike] = [
    "he_normal", "he_uniform", "xavier_normal", "xavier_uniform", "orthogonal", "zeros", 1.5,
    init.orthogonal(2.0), init.normal(0.1), init.normal(0.2), init.normal(0.1, mean=1.0),
    init.uniform(0.0, 2.0), init.uniform(0.0, 3.0),
]  # fmt: skip


def test_first_values_start_again_without_their_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    def values() -> list[Array]:
        parameters = [cr.parameter("w", (6, 3), each) for each in FIRST]
        parameters += [cr.parameter("v", (6, 3), "he_normal"), cr.parameter("w", (3, 6), "zeros")]
        functions = [cr.compile(parameter * 1.0) for parameter in parameters]
        return [each for function in functions for each in function.initial_state(3).values()]

    first = values()
    assert len({f"{each}" for each in first}) == len(first)
    monkeypatch.setattr(starting, "initial_graph", None)
    for one, other in zip(first, values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_there_is_to_see_is_made_when_it_is_asked_for() -> None:
    one, other = (cr.compile(declared()) for _ in range(2))
    for name in ("source", "loops", "assembly"):
        assert getattr(one, name) == getattr(other, name)
    assert [stage.name for stage in one.stages] == [stage.name for stage in other.stages]
    assert one.graph.text() == other.graph.text()
    assert str(one.plan) == str(other.plan)
    assert str(one.summary()) == str(other.summary())


@pytest.mark.parametrize(
    "declare",
    [
        lambda x: cr.tanh(nn.Linear(6, 3)(x)),
        lambda x: cr.softmax(cr.permute_dims(x, (1, 0)) * 2.0, axis=0),
        lambda x: cr.reshape(x, (-1,)) * 2.0,  # code for each number of rows alone
        lambda x: x @ cr.constant(np.ones((6, 512), np.float32)),  # beside the code
        lambda x: cr.sum(x, axis=0),
    ],
)
def test_a_function_starts_again(
    declare: Callable[[cr.Node], cr.Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    def computed() -> list[Array]:
        x, w = cr.input("x", ("batch", 6)), cr.parameter("w", (6, 3), "he_normal")
        function = cr.compile([declare(x), cr.sum(w)])
        bound = function.bind(function.initial_state(3))
        return [each for rows in (3, 20) for each in bound(x=DATA["x"][:rows])]

    first = computed()
    refuse(monkeypatch)
    for one, other in zip(first, computed(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_program_in_c_starts_again_without_a_pass_and_a_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = cr.input("x", ("batch", 6))
    w = cr.parameter("w", (6, 1), "he_normal")
    step = optim.SGD(lr=0.1).minimize(cr.mean(cr.square(x @ w)))
    monkeypatch.setattr(compiler, "FLAGS", [flag for flag in FLAGS if flag != "-O2"])

    def computed() -> tuple[cr.State, Array]:
        program = cr.compile(cr.training(step, epochs=2, batch_size=8), target="c")
        state = program.run({"x": DATA["x"]}, progress=False).state
        return state, np.asarray(cr.compile(x @ w, target="c").bind(state)(x=DATA["x"]))

    def built(*_: object) -> None:
        raise AssertionError("the compiler ran")

    state, values = computed()
    refuse(monkeypatch)
    monkeypatch.setattr(compiler, "_made", built)
    again, same = computed()
    assert again == state
    np.testing.assert_array_equal(same, values)


def test_a_second_process_imports_nothing_that_lowers() -> None:
    program = (
        "import sys, numpy as np, chainrule as cr\n"
        "x = cr.input('x', ('batch', 6)); y = cr.input('y', ('batch',), dtype='int32')\n"
        "logits = cr.nn.Linear(6, 4)(x)\n"
        "step = cr.optim.SGD(lr=0.1).minimize(cr.losses.cross_entropy(logits, y))\n"
        "program = cr.compile(cr.training(step, epochs=1, batch_size=8))\n"
        "data = {'x': np.ones((16, 6), np.float32), 'y': np.zeros(16, np.int32)}\n"
        "state = program.run(data, validation=data, progress=False).state\n"
        "print(cr.compile(logits).bind(state)(x=data['x']).sum())\n"
        "heavy = ['sympy', 'networkx', 'graphviz', 'chainc.lowering', 'chainc.formulas',\n"
        "    'chainc.schedules.program.calls', 'chainc.backends.llvm.printing', 'chainc.loops',\n"
        "    'chainc.passes.simplify', 'chainc.rewriting.rewrite']\n"
        "print(*(name for name in heavy if name in sys.modules))"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    (value, lowered), (again, nothing) = (done.stdout.split("\n")[:2] for done in (first, second))
    assert value == again
    assert "chainc.lowering" in lowered
    assert nothing == ""


def test_messages_name_the_lines_of_this_process() -> None:
    for _ in range(2):
        program = cr.compile(declared())
        with pytest.raises(cr.InputError, match=r"out of range[\s\S]*test_starting_again.py"):
            program.run({**DATA, "y": DATA["y"] + 1}, progress=False)


def test_a_failure_in_the_code_is_told_as_before() -> None:
    bad = {**DATA, "x": np.full((20, 6), np.inf, np.float32)}
    told = []
    for _ in range(2):
        program = cr.compile(declared(watch=True))
        with pytest.raises(cr.NonFiniteError, match="'x' holds NaN or infinity") as caught:
            program.run(bad, progress=False)
        told.append(str(caught.value))
    assert told[0] == told[1]


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'[["x"],["batch"],[],[]]'])
def test_foreign_entries_are_made_anew(content: bytes, first: cr.Result, folder: Path) -> None:
    records = [path for path in folder.iterdir() if not path.name.startswith("native-")]
    assert {path.name.split("-")[0] for path in records} == {"training", "function", "call"}
    for path in records:
        compiled_cache.store(path.name, content)
    assert trained(cr.compile(declared())).state == first.state
    assert all(compiled_cache.load(path.name) != content for path in records)


@pytest.mark.parametrize("kind", ["training", "function", "call", "native"])
def test_damaged_or_lost_files_are_made_anew(kind: str, first: cr.Result, folder: Path) -> None:
    for damage in (lambda path: path.write_bytes(path.read_bytes()[:-1]), Path.unlink):
        chosen = [path for path in folder.iterdir() if path.name.startswith(f"{kind}-")]
        assert chosen
        for path in chosen:
            damage(path)
        assert trained(cr.compile(declared())).state == first.state


@pytest.mark.usefixtures("first")
def test_other_programs_are_not_taken_for_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch)
    cr.compile(declared())
    for other in (declared(7), declared(scale=2.0), declared(watch=True)):
        with pytest.raises(AssertionError, match="a pass ran"):
            cr.compile(other)
    for options in ({"fast_math": True}, {"threads": 2}, {"passes": ["cse"]}, {"bake_in": True}):
        with pytest.raises(AssertionError, match="a pass ran"):
            cr.compile(declared(), **options)


def test_passes_of_ones_own_run_each_time() -> None:
    seen = []

    def noted(graph: ir.Graph) -> ir.Graph:
        seen.append(len(graph.nodes))
        return graph

    for _ in range(2):
        cr.compile(cr.tanh(cr.input("x", ("batch", 3))), passes=[noted])
    assert len(seen) == 2
