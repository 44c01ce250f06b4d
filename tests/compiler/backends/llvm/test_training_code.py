"""When threads share a step: by what it multiplies, and how often they would wait."""

import pytest

import chainrule as cr
from chainc.backends.llvm.training_code import worth_sharing
from chainrule import optim

WIDTH = 64


@pytest.mark.parametrize(("length", "rows", "shared"), [(400, 1, False), (4, 512, True)])
def test_a_loop_of_short_steps_is_for_one_thread(length: int, rows: int, shared: bool) -> None:
    x = cr.input("x", ("batch", WIDTH))
    weight = cr.parameter("weight", (WIDTH, WIDTH), 0.01)
    last, _ = cr.scan(lambda h: (cr.tanh(h @ weight), None), x, length=length)
    assert isinstance(last, cr.Node)
    step = optim.SGD(lr=0.1).minimize(cr.mean(last))
    declared = cr.training(step, epochs=1, batch_size=rows)
    assert worth_sharing(cr.compile(declared, target="numpy")._compiled.loop) is shared
