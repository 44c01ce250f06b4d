"""An exported function: the numbers of a call in this process, with its values inside."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.exported import BAD_ARENA, BAD_ARGUMENT, BAD_INDEX, CC, OK, build

import chainrule as cr
from chainc.ir.errors import GraphError, InputError, StateError
from chainc.ir.types import Array
from chainrule import nn, optim
from chainrule.compiled.function import Numbers

pytestmark = pytest.mark.skipif(CC is None, reason="there is no C compiler")
NATIVE = "native"


def drawn(*shape: int, seed: int = 0) -> Numbers:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class Library:
    """The shared library in a folder, with an arena of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.api = ctypes.CDLL(str(folder / f"lib{name}.so"))
        self.header = (folder / f"{name}.h").read_text()
        space = np.full(self.number("ARENA_BYTES") + 64, 0xA5, np.uint8)
        self.arena = space[-space.ctypes.data % 64 :][: self.number("ARENA_BYTES")]

    def number(self, name: str) -> int:
        found = re.search(rf"_{name} (?:INT64_C\()?(\d+)", self.header)
        assert found is not None
        return int(found[1])

    def init(self) -> int:
        result: int = getattr(self.api, f"{self.name}_init")(_passed(self.arena))
        return result

    def call(self, *arguments: Numbers | int | None) -> int:
        function = getattr(self.api, f"{self.name}_call")
        result: int = function(*map(_passed, (self.arena, *arguments)))
        return result


def _passed(value: Numbers | int | None) -> object:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    return value if value is None else ctypes.c_int64(value)


Exports = Callable[..., Library]


@pytest.fixture(params=["llvm", pytest.param("c", marks=pytest.mark.nightly)])
def exported(request: pytest.FixtureRequest) -> Exports:
    """Exports a function as machine code, or as C source that is built here, and loads it."""

    def export(
        function: cr.Function[Numbers] | cr.Function[tuple[Numbers, ...]],
        folder: Path,
        rows: int = 256,
    ) -> Library:
        if request.param == "llvm":
            function.export(folder, name="net", rows=rows, processor=NATIVE)
            return Library(folder, "net")
        made = cr.compile(function._declared, target="c")
        made = made.bind(function.state) if made.slots else made
        made.export(folder, name="net", rows=rows)
        build(folder, "net.c", "-shared", "-fPIC", "-o", "libnet.so")
        return Library(folder, "net")

    return export


def network() -> cr.Function[Numbers]:
    x = cr.input("x", ("batch", 5))
    model = nn.Sequential(nn.Linear(5, 19), nn.ReLU(), nn.Linear(19, 3), name="model")
    function = cr.compile(model(x))
    return function.bind(function.initial_state(seed=3))


@pytest.mark.parametrize("rows", [1, 7, 256, 700])
def test_a_call_in_c_computes_what_a_call_here_computes(
    rows: int, tmp_path: Path, exported: Exports
) -> None:
    predict = network()
    library = exported(predict, tmp_path / "new" / "folder")
    assert library.init() == OK
    x, found = drawn(rows, 5), np.full((rows + 1, 3), 7, np.float32)
    for _ in range(2):  # an arena serves any number of calls
        assert library.call(x, rows, found) == OK
        np.testing.assert_allclose(found[:rows], predict(x=x), rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(found[rows:], 7)  # nothing is written behind the results
    if rows >= 256:
        np.testing.assert_array_equal(found[:rows], predict(x=x))


def test_few_rows_of_a_recurrent_network_have_the_bits_of_a_call_here(
    tmp_path: Path, exported: Exports
) -> None:
    """Which are made for as many rows, and the library for more."""
    x = cr.input("x", ("batch", 6), dtype="int32")
    model = nn.Sequential(nn.Embedding(7, 4), nn.LSTM(4, 12), nn.Linear(12, 7))
    function = cr.compile(model(x))
    predict = function.bind(function.initial_state(seed=3))
    library = exported(predict, tmp_path)
    assert library.init() == OK
    indices, found = (drawn(3, 6) > 0).astype(np.int32), drawn(3, 6, 7)
    assert library.call(indices, 3, found) == OK
    np.testing.assert_array_equal(found, predict(x=indices))


@pytest.mark.parametrize("target", ["llvm", pytest.param("c", marks=pytest.mark.nightly)])
def test_what_the_readme_says_can_be_done(target: str, tmp_path: Path) -> None:
    """Its caller is built by its command, and computes the row of zeros that it has."""
    x, shift = cr.input("x", ("batch", 5)), cr.input("shift", (3,))
    weights = cr.constant(np.ones((5, 3), np.float32))
    cr.compile(cr.exp(x @ weights + shift), target=target).export(tmp_path, name="net")
    told = (tmp_path / "README.md").read_text()
    (program,) = re.findall(r"^```c\n(.*?)^```$", told, re.MULTILINE | re.DOTALL)
    (command,) = re.findall(r"^```sh\n(.*?)^```$", told, re.MULTILINE | re.DOTALL)
    (tmp_path / "caller.c").write_text(program)
    done = subprocess.run(
        ["sh", "-ec", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("1\n1\n1\n", "")


def test_a_program_in_c_is_compiled_against_the_header(tmp_path: Path) -> None:
    predict = network()
    paths = predict.export(tmp_path, name="net")
    assert [path.name for path in paths] == ["net.o", "libnet.so", "net.h", "README.md"]
    (tmp_path / "main.c").write_text("""
#include <stdio.h>
#include <string.h>
#include "net.h"
static _Alignas(NET_ARENA_ALIGNMENT) unsigned char arena[NET_ARENA_BYTES];
int main(void) {
    const float x[2][5] = {{1, 2, 3, 4, 5}, {-1, 0, 1, 0, -1}};
    float results[2][3];
    if (strcmp(net_version(), NET_VERSION) != 0 || net_init(arena) != NET_OK) return 1;
    if (net_call(arena, &x[0][0], 2, &results[0][0]) != NET_OK) return 2;
    for (int i = 0; i < 6; i++) printf("%.9g ", (double)results[i / 3][i % 3]);
    return 0;
}
""")
    strict = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    _run(["cc", *strict, "main.c", "net.o", "-o", "main"], tmp_path)
    printed = np.array(_run(["./main"], tmp_path).split(), float).reshape(2, 3)
    rows = [[1, 2, 3, 4, 5], [-1, 0, 1, 0, -1]]
    np.testing.assert_allclose(printed, predict(x=np.array(rows, np.float32)), rtol=1e-5)


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm")
def test_the_library_needs_nothing_and_shows_three_functions(tmp_path: Path) -> None:
    network().export(tmp_path, name="net")
    symbols = _run(["nm", "-g", "net.o"], tmp_path).split("\n")
    shown = sorted(line.split()[-1] for line in symbols if line.strip())
    assert shown == ["net_call", "net_init", "net_version"]


def test_what_depends_on_all_rows_is_prepared_for_those_of_each_call(
    tmp_path: Path, exported: Exports
) -> None:
    x = cr.input("x", ("batch", 4))
    scale = cr.parameter("scale", (4,), cr.init.ones())
    centred = x * scale - cr.mean(x * scale, axis=0)
    function = cr.compile([centred, cr.mean(x, axis=0)])
    function = function.bind(cr.State({"scale": np.array([1, 2, 3, 4], np.float32)}))
    library = exported(function, tmp_path, rows=64)
    assert (library.init(), library.number("MOST_ROWS")) == (OK, 64)
    for rows in (64, 3, 17):
        given, first, second = drawn(rows, 4, seed=rows), drawn(rows, 4), drawn(4)
        assert library.call(given, rows, first, second) == OK
        for found, wanted in zip((first, second), function(x=given), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert library.call(drawn(65, 4), 65, drawn(65, 4), drawn(4)) == BAD_ARGUMENT


def test_inputs_without_rows_are_the_same_for_all_of_them(
    tmp_path: Path, exported: Exports
) -> None:
    x, shift = cr.input("x", ("batch", 4)), cr.input("shift", (4,))
    function = cr.compile(cr.exp(x) + shift)
    library = exported(function, tmp_path)
    assert "    results_data: float[rows][4]\n" in library.header
    assert library.init() == OK
    given, by, found = drawn(600, 4), drawn(4, seed=1), drawn(600, 4)
    assert library.call(given, by, 600, found) == OK
    np.testing.assert_array_equal(found, function(x=given, shift=by))


def test_a_function_without_rows_takes_no_number_of_them(tmp_path: Path, exported: Exports) -> None:
    x = cr.input("x", (6,))
    total_and_twice = cr.Graph([cr.sum(x), x * 2.0], names=["total", "x"])
    function = cr.compile(total_and_twice)
    library = exported(function, tmp_path)
    assert library.init() == OK
    words = "const float *x_data, float *total_data, float *x_2_data"
    assert f"int net_call(void *arena, {words});" in library.header
    assert "rows" not in library.header[library.header.index("int net_call") :]
    given, total, twice = drawn(6), drawn(1), drawn(6)
    assert library.call(given, total, twice) == OK
    np.testing.assert_array_equal(twice, given * 2)
    np.testing.assert_allclose(total, [given.sum()], rtol=1e-5)


def drawing() -> cr.Function[tuple[Array, ...]]:
    """Nothing is given to it, and what it gives is of several types."""
    drawn = cr.uniform((3, 4))
    declared = cr.compile([cr.normal((5,)), cr.argmax(drawn, axis=1), drawn < 0.5])
    return declared.bind(declared.initial_state(seed=3))


def test_what_is_drawn_needs_no_inputs(tmp_path: Path, exported: Exports) -> None:
    function = drawing()
    library, wanted = exported(function, tmp_path), function()
    found = [np.zeros_like(each) for each in wanted]
    assert [each.dtype.name for each in found] == ["float32", "int64", "bool"]
    assert library.init() == OK
    assert library.call(*found) == OK
    for each, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(each, other)


def test_what_is_given_is_checked(tmp_path: Path, exported: Exports) -> None:
    index = cr.input("index", ("batch",), dtype="int32")
    table = cr.parameter("table", (10, 3), cr.init.ones())
    function = cr.compile(cr.take(table, index, axis=0))
    values = drawn(10, 3)
    library = exported(function.bind(cr.State({"table": values})), tmp_path)
    given, found = np.array([9, 0, 4], np.int32), drawn(3, 3)
    assert library.call(given, 3, found) == BAD_ARENA
    assert library.init() == OK
    assert library.call(given, 3, found) == OK
    np.testing.assert_array_equal(found, values[given])
    assert library.call(given, 0, found) == BAD_ARGUMENT
    assert library.call(None, 3, found) == BAD_ARGUMENT
    assert library.call(given, 3, None) == BAD_ARGUMENT
    assert library.call(np.array([9, 10, 4], np.int32), 3, found) == BAD_INDEX
    assert "index_data: int32_t[rows], from 0 to 9" in library.header


def test_indices_may_be_of_the_rows_and_may_have_none(tmp_path: Path, exported: Exports) -> None:
    x = cr.input("x", ("batch", 3))
    row, column = cr.input("row", ("batch",), "int32"), cr.input("column", (2,), "int32")
    function = cr.compile(cr.take(cr.take(x, row, axis=0), column, axis=1))
    library, given, found = exported(function, tmp_path), drawn(4, 3), drawn(4, 2)
    assert library.init() == OK
    rows, columns = np.array([3, 0, 0, 2], np.int32), np.array([2, 0], np.int32)
    assert library.call(given, rows, columns, 4, found) == OK
    np.testing.assert_array_equal(found, given[rows][:, columns])
    assert library.call(given, rows, columns, 3, found) == BAD_INDEX
    assert library.call(given, rows - 1, columns, 4, found) == BAD_INDEX
    assert library.call(given, rows, columns + 1, 4, found) == BAD_INDEX


def test_what_no_library_can_be_is_refused(tmp_path: Path) -> None:
    x, wide = cr.input("x", ("batch", 5)), cr.input("wide", ("batch", "width"))
    with pytest.raises(StateError, match="needs values for 2 state slots"):
        cr.compile(nn.Linear(5, 2)(x)).export(tmp_path, name="net")
    with pytest.raises(GraphError, match="2 named sizes, 'batch', 'width'"):
        cr.compile(cr.exp(wide)).export(tmp_path, name="net")
    with pytest.raises(GraphError, match=r"output 0 of shape .* is not made of rows"):
        cr.compile(x.T * 2.0).export(tmp_path, name="net")
    weight = cr.parameter("weight", (5,), cr.init.ones())
    loss = cr.mean(cr.square(x @ weight))
    step = cr.compile(optim.SGD(lr=0.1).minimize(loss))
    with pytest.raises(GraphError, match="the function changes its state"):
        step.bind(step.initial_state()).export(tmp_path, name="net")
    with pytest.raises(InputError, match="'9' is no name for a library"):
        network().export(tmp_path, name="9")
    with pytest.raises(InputError, match="export: rows must be a whole number"):
        network().export(tmp_path, name="net", rows=0)
    assert not list(tmp_path.iterdir())
