"""`cr.compile(..., memory=)`: what fits takes less and keeps every bit; what does not says so."""

from __future__ import annotations

import re
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

import chainrule as cr
from chainc import driver
from chainc.backends.target import PlanningTarget
from chainc.ops.formula import is_recomputed
from chainrule import losses, nn, optim

TARGETS = ("numpy", "llvm")
ROWS = 48  # a batch; the last one of an epoch is smaller


def planning(target: str) -> PlanningTarget:
    found = driver.TARGETS[target]
    assert isinstance(found, PlanningTarget)
    return found


@cache
def dense() -> tuple[cr.Training, dict[cr.Node, np.ndarray]]:
    x, y = cr.input("x", ("batch", 40)), cr.input("y", ("batch",), dtype="int32")
    layers = [
        layer
        for _ in range(4)
        for layer in (nn.Linear(40, 40), nn.BatchNorm1d(40), nn.GELU(), nn.Dropout(0.3))
    ]
    return training(nn.Sequential(*layers, nn.Linear(40, 5))(x), x, y)


@cache
def convolutional() -> tuple[cr.Training, dict[cr.Node, np.ndarray]]:
    x, y = cr.input("x", ("batch", 2, 8, 8)), cr.input("y", ("batch",), dtype="int32")
    h = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())(x)
    for _ in range(3):
        h = h + nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())(h)
    return training(nn.Linear(8, 5)(cr.mean(h, axis=(2, 3))), x, y)


def training(
    logits: cr.Node, x: cr.Node, y: cr.Node
) -> tuple[cr.Training, dict[cr.Node, np.ndarray]]:
    step = optim.SGD(lr=0.05, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    rng = np.random.default_rng(3)
    rows = ROWS + 5
    data = {
        x: rng.normal(size=(rows, *map(int, map(str, x.shape[1:])))).astype(np.float32),
        y: rng.integers(0, 5, rows).astype(np.int32),
    }
    return cr.training(step, epochs=1, batch_size=ROWS, seed=2), data


NETWORKS = {"dense": dense, "convolutional": convolutional}


@cache
def without_budget(network: str, target: str) -> cr.TrainingProgram:
    """What several tests compare with."""
    return cr.compile(NETWORKS[network]()[0], target=target)


def nbytes(program: cr.TrainingProgram, target: str) -> int:
    return planning(target).bytes_of_training(program._compiled.loop, None)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("target", TARGETS)
def test_it_takes_less_and_every_bit_is_the_same(network: str, target: str) -> None:
    declared, data = NETWORKS[network]()
    program = without_budget(network, target)
    full = nbytes(program, target)
    limit = int(full * 0.75)
    small = cr.compile(declared, target=target, memory=limit)
    assert nbytes(small, target) <= limit
    again = [node for node in small.stage("recompute").graph.nodes if is_recomputed(node)]
    assert again
    assert not any(is_recomputed(node) for node in program.graph.nodes)
    usual, result = program.run(data, progress=False), small.run(data, progress=False)
    assert usual.history["loss"] == result.history["loss"]
    assert usual.state.keys() == result.state.keys()
    for key, value in usual.state.items():
        np.testing.assert_array_equal(np.asarray(value), np.asarray(result.state[key]), key)


def test_the_plan_is_within_it_and_names_what_is_computed_again() -> None:
    declared, _ = dense()
    usual = without_budget("dense", "llvm").plan
    full = usual.arena_bytes
    plan = cr.compile(declared, memory=f"{full * 0.8 / 1000:.3f} kB").plan
    assert plan.arena_bytes <= full * 0.8
    assert "_again" in str(plan)
    assert "_again" not in str(usual)


@pytest.mark.parametrize("target", TARGETS)
def test_what_fits_is_compiled_as_ever(target: str) -> None:
    declared, _ = dense()
    program = without_budget("dense", target)
    roomy = cr.compile(declared, target=target, memory="1 GiB")
    assert [stage.name for stage in roomy.stages] == [stage.name for stage in program.stages]
    assert roomy.source == program.source


def chain() -> cr.Node:
    x, w = cr.input("x", ("batch", 64)), cr.parameter("w", (64, 64), 0.02)
    h = x
    for _ in range(6):
        h = cr.tanh(cr.exp(cr.sin(h @ w)))
    return cr.grad(cr.sum(h), w)


@pytest.mark.parametrize("target", TARGETS)
def test_a_function_takes_less_and_every_bit_is_the_same(target: str) -> None:
    gradient = chain()
    rows = np.random.default_rng(0).normal(size=(128, 64)).astype(np.float32)
    usual = cr.compile(gradient, target=target, batch=128)
    full = planning(target).bytes_of_function(usual._compiled.program)
    small = cr.compile(gradient, target=target, batch=128, memory=int(full * 0.7))
    assert planning(target).bytes_of_function(small._compiled.program) <= full * 0.7
    expected, found = (each.bind(each.initial_state(seed=0))(x=rows) for each in (usual, small))
    np.testing.assert_array_equal(expected, found)


def test_the_picture_says_what_is_computed_again() -> None:
    gradient = chain()
    full = planning("numpy").bytes_of_function(
        cr.compile(gradient, target="numpy", batch=128)._compiled.program
    )
    small = cr.compile(gradient, target="numpy", batch=128, memory=int(full * 0.7))
    drawn = small.stage("recompute").graph.draw(detail="ops").dot
    count = sum(is_recomputed(node) for node in small.stage("recompute").graph.nodes)
    assert drawn.count("computed again") == count > 0
    assert "computed again" not in small.declared.draw(detail="ops").dot


@pytest.mark.parametrize("target", TARGETS)
def test_a_budget_that_cannot_be_kept_says_by_how_much(target: str) -> None:
    gradient = chain()
    with pytest.raises(cr.GraphError) as caught:
        cr.compile(gradient, target=target, batch=128, memory="2 KiB")
    message = str(caught.value)
    found = re.search(
        r"compile: the program takes ([\d,]+) bytes with all that can be computed again, "
        r"([\d,]+) more than the memory of 2,048\n  where: .*test_memory_budget.py:\d+\n"
        r"  try: give memory=(\d+), or take fewer rows at a time",
        message,
    )
    assert found, message
    needed, excess, given = (int(text.replace(",", "")) for text in found.groups())
    assert needed == given == 2048 + excess
    cr.compile(gradient, target=target, batch=128, memory=given)


def test_a_training_that_cannot_fit_says_so_at_the_users_line() -> None:
    declared, _ = dense()
    with pytest.raises(cr.GraphError, match=r"more than the memory of 1(.|\n)*budget.py:\d+"):
        cr.compile(declared, target="numpy", memory=1)


@pytest.mark.parametrize(
    ("text", "same"), [("2 kB", 2000), ("2KB", 2000), ("1.5 KiB", 1536), ("3000 B", 3000)]
)
def test_units(text: str, same: int) -> None:
    gradient = chain()
    with pytest.raises(cr.GraphError, match=f"more than the memory of {same:,}\n"):
        cr.compile(gradient, target="numpy", batch=8, memory=text)


@pytest.mark.parametrize(
    "text", ["64", "MB", "64 mb", "-1 MB", "0 MB", "1e3 MB", "nan MB", "1.2.3 MB", "", "²MB"]
)
def test_what_is_no_number_of_bytes_is_refused(text: str) -> None:
    gradient = chain()
    with pytest.raises(cr.InputError, match="memory must be a number with a unit") as caught:
        cr.compile(gradient, batch=8, memory=text)
    assert 'memory="64 MB"' in str(caught.value)


@pytest.mark.parametrize("value", [0, -5, 1.5, True, [64]])
def test_a_number_is_a_whole_number_of_bytes(value: int) -> None:
    with pytest.raises(cr.InputError, match="memory must be a whole number, at least 1"):
        cr.compile(chain(), batch=8, memory=value)


def test_named_sizes_have_to_be_given() -> None:
    with pytest.raises(cr.InputError, match="memory depends on batch, which is not given"):
        cr.compile(chain(), memory="64 MB")


def test_a_target_that_does_not_plan_is_refused() -> None:
    numpy = driver.TARGETS["numpy"]
    own = SimpleNamespace(
        name="own",
        language="words",
        can_watch=False,
        compile_function=numpy.compile_function,
        compile_training=numpy.compile_training,
    )
    with pytest.raises(cr.GraphError, match="'own' does not say how much memory it takes"):
        cr.compile(chain(), target=own, batch=8, memory="64 MB")
