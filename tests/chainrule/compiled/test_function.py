"""Compiled functions: calls, states, sizes, stages, threads."""

from __future__ import annotations

import gc
import resource
import threading
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc.backends.llvm.host import function as host_function
from chainc.backends.llvm.machine_code.jit import Functions, loaded
from chainc.ir.errors import InputError
from chainc.passes import PIPELINE
from chainrule import init, nn, optim
from chainrule.compiled.function import SIZES_KEPT


def test_one_function_serves_every_batch_size() -> None:
    x = cr.input("x", ("batch", 3))
    run = cr.compile(cr.mean(x, axis=0))
    for size in (1, 2, 7, 2):
        array = np.random.default_rng(size).standard_normal((size, 3)).astype(np.float32)
        np.testing.assert_allclose(run(x=array), array.mean(0), rtol=1e-5)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What has been compiled or loaded for functions since the test began."""
    found: list[bytes] = []

    def counted(files: Sequence[bytes], names: Sequence[str]) -> Functions:
        found.append(files[0])
        return loaded(files, names)

    monkeypatch.setattr(host_function, "loaded", counted)
    return found


def test_after_a_warm_up_no_number_of_rows_compiles(compilations: list[bytes]) -> None:
    x = cr.input("x", ("batch", 3))
    model = nn.Linear(3, 2)
    predict = cr.compile(model(x))
    bound = predict.bind(predict.initial_state(seed=1))
    before = len(compilations)  # what draws the first values
    predict.warm_up()
    warm = len(compilations)
    assert warm == before + 9
    fresh = cr.compile(model(x)).bind(bound.state)
    for rows in (1, 2, 3, 17, 255, 256, 257, 1000):
        array = np.random.default_rng(rows).standard_normal((rows, 3)).astype(np.float32)
        np.testing.assert_array_equal(bound(x=array), bound(x=array))
        assert len(compilations) == warm
    np.testing.assert_array_equal(bound(x=array), fresh(x=array))
    assert len(compilations) == warm + 1


def test_a_warm_up_compiles_for_the_sizes_that_it_is_given(compilations: list[bytes]) -> None:
    x, w = cr.input("x", ("batch", "width")), cr.input("w", ("width",))
    run = cr.compile(x @ w)
    run.warm_up([{"batch": 2, "width": 3}])
    assert len(compilations) == 1
    run(x=np.ones((2, 3), np.float32), w=np.ones(3, np.float32))
    assert len(compilations) == 1
    run(x=np.ones((2, 4), np.float32), w=np.ones(4, np.float32))
    assert len(compilations) == 2


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([0], r"warm_up: batch must be a whole number, at least 1, got 0"),
        ([True], r"warm_up: batch must be a whole number, at least 1, got True"),
        ([{"rows": 3}], r"warm_up: the sizes are 'batch', got \{'rows': 3\}"),
        ([4, "8"], r"warm_up: batch must be a whole number, at least 1, got '8'"),
    ],
)
def test_what_is_no_size_is_not_warmed_up(
    sizes: list[int | Mapping[str, int]], message: str, compilations: list[bytes]
) -> None:
    run = cr.compile(cr.exp(cr.input("x", ("batch", 3))))
    with pytest.raises(InputError, match=message):
        run.warm_up(sizes)
    assert not compilations


def test_a_warm_up_of_two_sizes_asks_for_both() -> None:
    run = cr.compile(cr.exp(cr.input("x", ("batch", "width"))))
    with pytest.raises(InputError, match=r"the sizes are 'batch', 'width', got 1[^0-9](.|\n)*give"):
        run.warm_up()


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_what_has_one_size_needs_no_rows_to_warm_up(target: str) -> None:
    run = cr.compile(cr.exp(cr.input("x", (3,))), target=target)
    run.warm_up()
    np.testing.assert_array_equal(run(x=np.zeros(3, np.float32)), np.ones(3))


def test_the_buffers_of_few_sizes_are_kept() -> None:
    x = cr.input("x", ("batch",))
    run = cr.compile(cr.sum(x))
    for size in [*range(1, 40), 1]:
        assert float(run(x=np.ones(size, np.float32))) == size
    assert len(run._bound) == SIZES_KEPT


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_results_belong_to_the_caller(target: str) -> None:
    x = cr.input("x", (2,))
    run = cr.compile(x * 2.0, target=target)
    first = run(x=np.ones(2, np.float32))
    run(x=np.full(2, 9.0, np.float32))
    np.testing.assert_array_equal(first, [2, 2])


def test_values_are_given_by_node_or_by_name() -> None:
    x = cr.input("x", (2,))
    run = cr.compile([x + 1.0])
    (by_node,), (by_name,) = run({x: [1.0, 2.0]}), run(x=[1.0, 2.0])
    np.testing.assert_array_equal(by_node, by_name)


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_a_second_call_takes_values_by_place_as_the_first(target: str) -> None:
    a = cr.input("a", ("batch", 2))
    b = cr.input("b", ("batch", 2))
    function = cr.compile(b - 2.0 * a, target=target)  # which reads b first
    one, two = np.full((3, 2), 1, np.float32), np.full((3, 2), 5, np.float32)
    for _ in range(2):
        for found in (function(one, two), function([one, two]), function({"a": one, "b": two}),
                      function({a: one, b: two}), function({"a": one}, b=two)):  # fmt: skip
            np.testing.assert_array_equal(found, np.full((3, 2), 3))
        with pytest.raises(cr.InputError, match="which of 2 inputs a value is for is not said"):
            function(one)
        with pytest.raises(cr.InputError, match="there are 3 values for 2 inputs"):
            function(one, two, one)
    halved = cr.compile(a * 0.5, target=target)
    for _ in range(2):
        np.testing.assert_array_equal(halved(one), np.full((3, 2), 0.5))


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_indices_are_looked_at_in_every_call(target: str) -> None:
    """In the second, whose shapes are known, too; how large they may be is a matter of the rows."""
    rows, fixed = cr.input("x", ("rows", 2)), cr.input("t", (5, 2))
    of_rows, of_five = (cr.input(name, (3,), dtype="int32") for name in "ij")
    taken = cr.take(rows, of_rows, axis=0) + cr.take(fixed, of_five, axis=0)
    run = cr.compile(taken, target=target)
    x, t = np.ones((4, 2), np.float32), np.ones((5, 2), np.float32)
    fine, negative = np.array([0, 3, 2], np.int32), np.array([0, -1, 2], np.int32)
    for _ in range(3):
        np.testing.assert_array_equal(run(x=x, t=t, i=fine, j=fine + 1), np.full((3, 2), 2))
        for i, j in ((fine + 1, fine), (fine, fine + 2), (negative, fine), (fine, negative)):
            with pytest.raises(InputError, match="index"):
                run(x=x, t=t, i=i, j=j)
    np.testing.assert_array_equal(run(x=t, t=t, i=fine + 1, j=fine), np.full((3, 2), 2))


def test_a_second_call_with_indices_does_not_ask_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    run = cr.compile(cr.take(cr.input("t", (5, 2)), cr.input("i", ("n",), dtype="int32"), axis=0))
    t, i = np.ones((5, 2), np.float32), np.arange(4, dtype=np.int32)
    run(t=t, i=i)
    monkeypatch.setattr(cr.Function, "_checked", lambda *_: pytest.fail("it was asked"))
    np.testing.assert_array_equal(run(t=t, i=i), t[:4])


def test_a_step_updates_the_state_that_it_was_bound_to() -> None:
    count = cr.parameter("count", (), init.zeros(), dtype="int32")
    graph = cr.Graph([count], {count: count + 1})
    start = cr.State({"count": np.asarray(5, np.int32)})
    run = cr.compile(graph).bind(start)
    assert [int(run()[0]) for _ in range(3)] == [5, 6, 7]
    assert int(run.state["count"]) == 8
    assert int(start["count"]) == 5


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_weights_that_nothing_updates_are_there_once(target: str) -> None:
    """A binding shares those of the state, which are read-only; what updates them has its own."""
    weight = cr.parameter("weight", (512, 512), "he_normal")
    total = cr.sum(cr.square(weight))
    function, step = (
        cr.compile(what, target=target) for what in (total, optim.SGD(0.25).minimize(total))
    )
    state = step.initial_state(0)
    before, size = state["weight"].copy(), state["weight"].nbytes
    tracemalloc.start()
    predict = function.bind(state)
    bound = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert bound < size / 4
    step.bind(state)()
    assert np.array_equal(state["weight"], before)
    assert not state["weight"].flags.writeable
    np.testing.assert_allclose(predict(), np.sum(np.square(before, dtype=np.float64)), rtol=1e-4)


def test_a_large_weight_is_read_where_the_caller_has_it() -> None:
    """A product of few rows reads it once; with more rows it lies in panels of the function's."""
    x, weight = cr.input("x", ("batch", 1024)), cr.parameter("weight", (1024, 1024), "he_normal")
    function = cr.compile(cr.relu(x @ weight))
    function = function.bind(function.initial_state(0))
    rows = np.random.default_rng(0).normal(size=(8, 1024)).astype(np.float32)
    many = function(x=rows)
    assert function.plan.arena_bytes > 1024 * 1024 * 4
    for count in (1, 2, 4):
        np.testing.assert_array_equal(function(x=rows[:count]), many[:count])
        assert function.plan.arena_bytes < 1024 * 1024
        (found,) = (each for each in function.plan.allocations if each.name == "weight")
        assert (found.role, found.place) == ("state", "caller")
    turned = cr.compile(x @ weight.T).bind(function.state)  # whose sums run along its rows
    expected = np.matmul(rows[:1], function.state["weight"].T)
    np.testing.assert_allclose(turned(x=rows[:1]), expected, atol=1e-4)
    assert turned.plan.arena_bytes > 1024 * 1024 * 4


def test_what_a_large_output_is_computed_from_lies_where_it_goes() -> None:
    """First values of a weight take no memory beside it, though two kernels make them."""
    weight = cr.parameter("weight", (1024, 1024), "he_normal")
    _, executable = cr.compile(weight)._first_values._compiled
    made = executable.generated()
    assert made.storage is not None
    assert made.storage.arena_bytes < 1 << 20
    assert len(made.storage.kernels) > 1
    x = cr.input("x", (1024, 1024))
    h = cr.exp(cr.sin(x))  # that two results need
    both = cr.compile([h / cr.max(h), h - cr.mean(h)])
    rows = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    expected = np.exp(np.sin(rows.astype(np.float64)))
    one, other = both(x=rows)
    np.testing.assert_allclose(one, expected / expected.max(), rtol=1e-5)
    np.testing.assert_allclose(other, expected - expected.mean(), atol=1e-5)


def test_initial_values_follow_from_seed_and_name() -> None:
    x = cr.input("x", ("batch", 3))
    one = cr.compile(nn.Linear(3, 4, name="layer")(x))
    two = cr.compile(nn.Linear(4, 4, name="other")(nn.Linear(3, 4, name="layer")(x)))
    same = one.initial_state(3)["layer/weight"]
    np.testing.assert_array_equal(same, two.initial_state(3)["layer/weight"])
    assert not np.array_equal(same, one.initial_state(4)["layer/weight"])


def test_every_pass_is_a_stage_in_order() -> None:
    x = cr.input("x", (3,))
    run = cr.compile(cr.exp(x) * 1.0 + 0.0)
    assert [stage.name for stage in run.stages] == ["declared", *(p.name for p in PIPELINE)]
    assert len(run.stages[0].graph.nodes) > len(run.graph.nodes)
    assert run.trace
    assert all(str(entry).startswith(entry.stage) for entry in run.trace)
    assert any(HERE in str(entry) for entry in run.trace)


HERE = "test_function.py"


def test_a_named_size_can_be_bound_when_compiling() -> None:
    x = cr.input("x", ("batch", 2))
    run = cr.compile(x * 2.0, batch=3)
    assert "[3,2]" in run.text()
    with pytest.raises(cr.InputError, match="x"):
        run(x=np.ones((2, 2), np.float32))


def test_no_passes_give_the_same_numbers() -> None:
    x = cr.input("x", ("batch", 3))
    y = cr.logsumexp(nn.Linear(3, 3, name="layer")(x), axis=1)
    run, plain = cr.compile(y), cr.compile(y, passes=())
    state = run.initial_state()
    array = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_allclose(run.bind(state)(x=array), plain.bind(state)(x=array), rtol=1e-6)


def test_threads_may_call_one_function() -> None:
    x = cr.input("x", (64, 64))
    run = cr.compile(cr.tanh(x @ x))
    arrays = [np.random.default_rng(i).standard_normal((64, 64)).astype(np.float32) / 8
              for i in range(8)]  # fmt: skip
    expected = [run(x=array) for array in arrays]
    wrong: list[int] = []

    def work(index: int) -> None:
        for _ in range(50):
            if not np.array_equal(run(x=arrays[index]), expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_special_values_behave_as_ieee_says() -> None:
    x = cr.input("x", (6,))
    values = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3e38], np.float32)
    run = cr.compile([x * 2.0, cr.relu(x), cr.sigmoid(x), cr.softplus(x), cr.maximum(x, 0.0), -x])
    before = np.geterr()
    with np.errstate(all="raise"):
        doubled, relu, sigmoid, softplus, largest, negative = run(x=values)
    assert np.geterr() == before
    expected = np.array([np.nan, np.inf, -np.inf, -0.0, 2 * 1.4e-45, np.inf], np.float32)
    np.testing.assert_array_equal(doubled, expected)
    assert np.signbit(doubled[3])
    np.testing.assert_array_equal(relu, np.where(values < 0, np.float32(0), values))
    np.testing.assert_allclose(sigmoid, [np.nan, 1, 0, 0.5, 0.5, 1], rtol=1e-6)
    np.testing.assert_allclose(softplus[:4], [np.nan, np.inf, 0, np.log(2)], rtol=1e-6)
    assert np.isnan(largest[0])
    assert not np.signbit(negative[3])


def test_stable_activations_have_finite_gradients() -> None:
    x = cr.input("x")
    for function, at, value in [
        (cr.softplus, 1000.0, 1000.0),
        (cr.softplus, -1000.0, 0.0),
        (cr.sigmoid, -1000.0, 0.0),
        (cr.sigmoid, 1000.0, 1.0),
    ]:
        y = function(x)
        run = cr.compile([y, cr.grad(y, x)])
        got, slope = run(x=at)
        assert float(got) == value
        assert np.isfinite(slope)


def test_a_chain_of_ten_thousand_nodes_differentiates_and_compiles() -> None:
    x = cr.input("x", (4,))
    y = x
    for _ in range(3_500):
        y = cr.sin(y)
    run = cr.compile([cr.sum(y), cr.grad(cr.sum(y), x)])
    assert len(run.declared.nodes) > 10_000
    value = np.full(4, 1.0)
    slope = np.ones(4)
    for _ in range(3_500):
        slope *= np.cos(value)
        value = np.sin(value)
    total, gradient = run(x=np.ones(4, np.float32))
    np.testing.assert_allclose(total, value.sum(), rtol=1e-3)
    np.testing.assert_allclose(gradient, slope, rtol=0.05)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to read memory use")
def test_hundreds_of_compilations_leave_no_memory_behind() -> None:
    def compile_and_close() -> None:
        x = cr.input("x", ("batch", 4))
        w = cr.parameter("w", (4, 3), 0.0)
        loss = cr.mean(cr.tanh(x @ w))
        run = cr.compile([loss, cr.grad(loss, w)])
        run.bind(run.initial_state())(x=[[1.0, 2.0, 3.0, 4.0]])

    def megabytes() -> float:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    for _ in range(50):
        compile_and_close()
    before = megabytes()
    for _ in range(400):
        compile_and_close()
    assert megabytes() - before < 2


def test_code_for_ever_new_sizes_is_kept_for_some() -> None:
    """What was bound goes on with its own; a size that comes again is compiled again."""
    x = cr.input("x", ("rows", "columns"))
    function = cr.compile(cr.sum(x * 2.0, axis=0))
    executable = function._compiled.executable
    assert isinstance(executable, host_function.NativeFunction)
    first = executable.bind({}, 1, 3)
    for columns in range(1, host_function.CODES_KEPT + 4):
        found = function(x=np.ones((2, columns), np.float32))
        np.testing.assert_array_equal(found, np.full(columns, 4, np.float32))
    assert len(executable._codes) == host_function.CODES_KEPT
    assert list(executable._codes)[-1] == (2, host_function.CODES_KEPT + 3)
    np.testing.assert_array_equal(first(np.ones((1, 3), np.float32))[0], [2, 2, 2])
