"""What machine code must not do, on the program that the figures are measured with."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import pytest
from tests.assembly import PROCESSORS, Spill, called_outside, spills

import chainrule as cr
from chainc.backends.llvm.function_code import function_code
from chainc.backends.llvm.machine_code.jit import assembly
from chainc.backends.llvm.training_code import TrainingCode, training_code
from chainc.schedules.layout.access import Capacity
from chainrule import losses, metrics, nn, optim

NAMES = pytest.mark.parametrize("processor", list(PROCESSORS))

# Rows of logits are turned in registers there, more than a small register file holds.
TURNING = ("argmax",)
LAID_ASIDE = 8  # values of gates, of some hundred that a step of such a loop computes


@cache
def code(processor: str) -> TrainingCode:
    """784-256-128-10 at a batch of 64."""
    x = cr.input("x", ("batch", 784))
    y = cr.input("y", ("batch",), dtype="int32")
    layers = [nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)]
    logits = nn.Sequential(*layers)(x)
    step = optim.SGD(lr=0.1).minimize(losses.cross_entropy(logits, y))
    measured = {"accuracy": metrics.accuracy(logits, y)}
    training = cr.training(step, epochs=1, batch_size=64, metrics=measured)
    return training_of(training, processor)


def training_of(training: cr.Training, processor: str) -> TrainingCode:
    compiled = cr.compile(training, target="numpy")._compiled
    return training_code(compiled.loop, PROCESSORS[processor])


@cache
def instructions(processor: str) -> str:
    return assembly(code(processor).text, PROCESSORS[processor])


def spills_of_kernels(processor: str) -> list[Spill]:
    """In them, and where Philox's words are made for the order of rows."""
    names = {nest.name for nest in code(processor).module.nests} - set(TURNING) | {"order.keys"}
    return [each for each in spills(instructions(processor)) if each.function in names]


def spills_of_step(step: optim.Step, batch_size: int, processor: str) -> list[Spill]:
    """In the kernels of a training of it."""
    made = training_of(cr.training(step, epochs=1, batch_size=batch_size), processor)
    names = {nest.name for nest in made.module.nests}
    text = assembly(made.text, PROCESSORS[processor])
    return [each for each in spills(text) if each.function in names]


@NAMES
def test_vectors_stay_in_registers_inside_loops(processor: str) -> None:
    found = spills_of_kernels(processor)
    assert [each for each in found if each.depth and each.bytes >= 16] == []


@NAMES
def test_innermost_loops_keep_everything_in_registers(processor: str) -> None:
    found = spills_of_kernels(processor)
    assert [each for each in found if each.depth and each.innermost] == []


@NAMES
@pytest.mark.parametrize("batch_size", [1, 2])
def test_sums_of_few_products_stay_in_registers(processor: str, batch_size: int) -> None:
    """So few that they are written out with what is made of them: the weights' update."""
    x, y = cr.input("x", ("batch", 80)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.Sequential(nn.Linear(80, 48), nn.ReLU(), nn.Linear(48, 10))(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    found = spills_of_step(step, batch_size, processor)
    sums = [x for x in found if "linear" in x.function]
    assert [x for x in sums if x.depth and x.bytes >= 16] == []


@NAMES
def test_sums_over_windows_stay_in_registers(processor: str) -> None:
    """Rows that share pixels would have to keep them between the steps of a written out loop.

    So do several sums of a normalisation that are added up in one innermost loop.
    """
    x = cr.input("x", ("batch", 3, 16, 16))
    y = cr.input("y", ("batch",), dtype="int32")
    layers = [nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(16, 24, 5, padding=2), nn.ReLU(), nn.Conv2d(24, 32, 3, stride=2)]
    logits = nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 10))(x)
    step = optim.SGD(lr=0.1).minimize(losses.cross_entropy(logits, y))
    found = spills_of_step(step, 16, processor)
    sums = [x for x in found if x.function.startswith("batchnorm")]
    assert [x for x in found if x not in sums and x.depth and x.bytes >= 16] == []
    assert [x for x in sums if x.innermost] == []


@NAMES
def test_sums_of_few_channels_stay_in_registers(processor: str) -> None:
    """Taps that are written out share pixels: of all channels, if these are written out too."""
    x, y = cr.input("x", ("batch", 1, 14, 14)), cr.input("y", ("batch",), dtype="int32")
    layers = [nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(6, 20, 5, padding=2), nn.ReLU(), nn.Conv2d(20, 8, 3), nn.ReLU()]
    logits = nn.Sequential(*layers, nn.Flatten(), nn.Linear(200, 10))(x)
    step = optim.SGD(lr=0.1).minimize(losses.cross_entropy(logits, y))
    found = spills_of_step(step, 16, processor)
    assert [x for x in found if x.depth and x.bytes >= 16] == []


@NAMES
@pytest.mark.parametrize("rows", [1, 2])
def test_products_of_few_rows_stay_in_registers(processor: str, rows: int) -> None:
    """Of weights row by row, their tiles are as wide as there are registers for."""
    product = cr.relu(cr.input("x", (rows, 128)) @ cr.input("weight", (128, 768)))
    program = cr.compile(product, target="numpy")._compiled.program
    text = function_code(program, Capacity({}), PROCESSORS[processor]).text
    assert [x for x in spills(assembly(text, PROCESSORS[processor])) if x.innermost] == []


@NAMES
def test_squares_that_are_turned_stay_in_registers(processor: str) -> None:
    """With as many operations as are done beside one."""
    x, y = cr.input("x", (64, 100)), cr.input("y", (100, 64))
    z = cr.matrix_transpose(x) + y
    program = cr.compile(z / cr.sqrt(z * z + 1.5) - y * 0.25, target="numpy")._compiled.program
    text = function_code(program, Capacity({}), PROCESSORS[processor]).text
    assert "shufflevector" in text
    assert list(spills(assembly(text, PROCESSORS[processor]))) == []


@NAMES
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_steps_of_recurrent_layers_stay_in_registers(processor: str, kind: str) -> None:
    """Their products, and with thirty-two registers the gates too, which are written one by one.

    With sixteen, LLVM computes several functions of a gate side by side, and lays a few of their
    values aside for that.
    """
    x, y = (cr.input(key, ("batch", 16), dtype="int32") for key in "xy")
    layers = [nn.Embedding(65, 65), getattr(nn, kind)(65, 128), nn.Linear(128, 65)]
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(
        losses.cross_entropy(nn.Sequential(*layers)(x), y)
    )
    found = spills_of_step(step, 32, processor)
    inside = [x for x in found if x.innermost]
    assert [x for x in inside if x.depth > 2] == []  # loops over rows, columns and what is summed
    if processor == "avx512":
        assert [x for x in found if x.depth and x.bytes >= 16] == []
    aside = Counter(x.function for x in inside if x.bytes >= 16)
    assert max(aside.values(), default=0) <= LAID_ASIDE


def test_spills_are_seen() -> None:
    """Forty vectors that are all needed in every pass do not fit into thirty-two registers."""
    count = 40
    loads = "\n".join(
        f"  %q{i} = getelementptr <16 x float>, ptr %p, i64 {i}\n"
        f"  %a{i} = load volatile <16 x float>, ptr %q{i}"
        for i in range(count)
    )
    phis = "\n".join(
        f"  %s{i} = phi <16 x float> [ %a{i}, %entry ], [ %t{i}, %loop ]" for i in range(count)
    )
    steps = "\n".join(
        f"  %t{i} = fadd <16 x float> %s{i}, %s{(i + 1) % count}" for i in range(count)
    )
    stores = "\n".join(f"  store volatile <16 x float> %t{i}, ptr %q{i}" for i in range(count))
    text = f"""\
define void @crowded(ptr %p, i64 %n) "prefer-vector-width"="512" {{
entry:
{loads}
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{phis}
{steps}
  %next = add i64 %i, 1
  %again = icmp slt i64 %next, %n
  br i1 %again, label %loop, label %done
done:
{stores}
  ret void
}}
"""
    found = list(spills(assembly(text, PROCESSORS["avx512"])))
    assert any(each == Spill("crowded", 64, 1, True) for each in found)
    assert any(each.depth == 0 for each in found)


@NAMES
def test_nothing_outside_the_module_is_called(processor: str) -> None:
    text = instructions(processor)
    assert called_outside(text) == set()


@NAMES
def test_addresses_are_pointers(processor: str) -> None:
    assert not re.search(r"ptrtoint|inttoptr", code(processor).text)


def test_sums_of_products_are_fused() -> None:
    """By the machine's own instruction, for floats of 512 and of 256 bits."""
    assert re.search(r"vfmadd\w+ps\s.*%zmm", instructions("avx512"))
    assert re.search(r"vfmadd\w+ps\s.*%ymm", instructions("avx2"))
