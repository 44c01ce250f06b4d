"""What machine code must not do, on programs that nobody named."""

from __future__ import annotations

import pytest
from tests.assembly import PROCESSORS, Loop, called_outside, innermost_loops
from tests.drawn_programs import KINDS, drawn

import chainrule as cr
from chainc.backends.llvm.function_code import FunctionCode, function_code
from chainc.backends.llvm.machine_code.jit import assembly
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.llvm.training_code import TrainingCode, training_code
from chainc.schedules.layout.access import Capacity

IN_THE_SUITE, IN_ALL = range(6), range(6, 366)

MOST_ASIDE = 1 / 5  # of a loop's instructions that lay vectors aside or read them again
FEWEST = 48  # instructions of a loop of which a share says something
OF_ALL = 0.06  # the same share of all loops together; 5.03 % is the most of sixty programs
# Exempt, with a bound of their own, since what is laid aside costs less than to do without:
PHILOX = "3528531795", 1 / 4  # two calls abreast take 0.95 of the time of one after the other
TURNED = "unpck", 1 / 3  # rows of several sums at once, turned in registers


def code(number: int, processor: Processor) -> FunctionCode | TrainingCode:
    made = drawn(number)
    if isinstance(made, cr.Training):
        return training_code(cr.compile(made, target="numpy")._compiled.loop, processor)
    program = cr.compile(made, target="numpy")._compiled.program
    return function_code(program, Capacity({}), processor)


def bound(loop: Loop) -> float:
    text = "\n".join(loop.text)
    exempt = [most for mark, most in (PHILOX, TURNED) if mark in text]
    return max(exempt, default=MOST_ASIDE)


def check(numbers: range, name: str) -> None:
    """All of these programs, so that one failure tells of every loop."""
    processor, found, aside, instructions = PROCESSORS[name], list[str](), 0, 0
    for number in numbers:
        made = code(number, processor)
        text = assembly(made.text, processor)
        found += [f"{number} calls {each}" for each in called_outside(text)]
        kernels = {nest.name for nest in made.module.nests}
        for loop in (each for each in innermost_loops(text) if each.function in kernels):
            aside += (loop.aside + loop.back) if loop.aside else 0
            instructions += loop.instructions
            if loop.instructions >= FEWEST and loop.share > bound(loop):
                found.append(f"{number} {loop}")
    assert not found, "\n".join(found)
    assert instructions
    assert aside <= OF_ALL * instructions


@pytest.mark.parametrize("name", list(PROCESSORS))
def test_no_loop_lays_much_aside_or_calls(name: str) -> None:
    check(IN_THE_SUITE, name)


@pytest.mark.nightly
@pytest.mark.parametrize("name", list(PROCESSORS))
@pytest.mark.parametrize("first", range(IN_ALL.start, IN_ALL.stop, 10 * len(KINDS)))
def test_no_loop_of_many_programs_lays_much_aside_or_calls(name: str, first: int) -> None:
    check(range(first, first + 10 * len(KINDS)), name)
