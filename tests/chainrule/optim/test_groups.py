"""Several optimizers in one step."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, nn, optim

HERE = r"\n  where: .*test_groups\.py:\d+\n  try: "
RNG = np.random.default_rng(6)
ROWS = RNG.normal(size=(8, 3)).astype(np.float32)
AIMS = RNG.normal(size=(8, 2)).astype(np.float32)


def model() -> tuple[cr.Node, nn.Linear]:
    """A loss and the layer that it is computed from."""
    layer = nn.Linear(3, 2, name="layer")
    return losses.squared_error(
        layer(cr.input("x", ("batch", 3))), cr.input("y", ("batch", 2))
    ), layer


def state_after(step: optim.Step, target: str, **given: float) -> cr.State:
    run = cr.compile(step, target=target)
    run = run.bind(run.initial_state(3))
    for _ in range(4):
        run(x=ROWS, y=AIMS, **given)
    return run.state


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_each_part_is_changed_as_by_its_optimizer_alone(target: str) -> None:
    loss, layer = model()
    assert layer.bias is not None
    sgd, adam = optim.SGD(0.2, momentum=0.9), optim.Adam(0.01)
    step = optim.groups(([layer.bias], sgd), adam).minimize(loss)
    both = state_after(step, target)
    assert set(both) == {
        "layer/weight", "layer/bias", "step", "sgd/velocity/layer/bias", "adam/mean/layer/weight",
        "adam/variance/layer/weight",
    }  # fmt: skip
    signals = optim.backprop(loss, [layer.weight, layer.bias])
    weight, bias = (
        optimizer.changes({each: signals[each]}, suffix=suffix).updates
        for optimizer, each, suffix in ((adam, layer.weight, "_2"), (sgd, layer.bias, "_1"))
    )
    by_hand = optim.Step(
        loss, {**weight, **bias, cr.step_counter(): cr.step_counter() + 1}, step.parameters, ()
    )
    expected = state_after(by_hand, target)
    assert both == expected


def test_rates_are_given_by_part() -> None:
    loss, layer = model()
    assert layer.bias is not None
    step = optim.groups(([layer.bias], optim.SGD(0.2)), optim.SGD(0.1)).minimize(loss)
    assert list(step.hyperparameters) == ["lr_1", "lr_2"]
    assert step.parameters == (layer.bias, layer.weight)
    other = optim.groups(([layer.bias], optim.SGD(0.3)), optim.SGD(0.4)).minimize(loss)
    assert state_after(step, "numpy", lr_1=0.3, lr_2=0.4) == state_after(other, "numpy")
    program = cr.compile(cr.training(step, epochs=1, batch_size=8), target="numpy")
    with pytest.raises(cr.InputError, match="lr_1 must be a finite number and above 0"):
        program.run({"x": ROWS, "y": AIMS}, lr_1=-0.1)


def test_rates_of_several_steps_are_positive_too() -> None:
    loss, layer = model()
    assert layer.bias is not None
    steps = {
        "d": optim.SGD(0.2).minimize(loss, [layer.weight]),
        "g": optim.SGD(0.1).minimize(2.0 * loss, [layer.bias]),
    }
    program = cr.compile(cr.training(steps, epochs=1, batch_size=8), target="numpy")
    with pytest.raises(cr.InputError, match="d_lr must be a finite number and above 0"):
        program.run({"x": ROWS, "y": AIMS}, d_lr=-0.1)


def test_a_common_norm_is_that_of_all_parts() -> None:
    loss, layer = model()
    assert layer.bias is not None
    clip = [optim.clip.by_global_norm(0.1)]
    parts = ([layer.bias], optim.SGD(0.2)), optim.SGD(0.2)
    together = optim.groups(*parts, signal=clip).minimize(loss)
    alone = optim.SGD(0.2, signal=clip).minimize(loss)
    assert state_after(together, "numpy") == state_after(alone, "numpy")


def test_parts_accumulate_together() -> None:
    loss, layer = model()
    assert layer.bias is not None
    parts = ([layer.bias], optim.SGD(0.2, momentum=0.9)), optim.Adam(0.1)
    together = optim.groups(*parts, signal=[optim.accumulate(2)]).minimize(loss)
    state = state_after(together, "numpy")
    parts = (
        ([layer.bias], optim.SGD(0.2, momentum=0.9, signal=[optim.accumulate(2)])),
        optim.Adam(0.1, signal=[optim.accumulate(2)]),
    )
    assert state == state_after(optim.groups(*parts).minimize(loss), "numpy")


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda _: optim.groups(), "groups: there is no optimizer", "give pairs"),
        (
            lambda _: optim.groups(optim.SGD(0.1), optim.Adam()),
            "groups: more than one optimizer has no parameters",
            "give pairs",
        ),
        (optim.groups, "groups: a list is no pair", "give pairs"),
        (lambda w: optim.groups(w, w), "groups: a list is no pair", "give pairs"),
        (
            lambda w: optim.groups(([w], optim.SGD(0.1))),
            "groups: a list is no parameter",
            "give nodes",
        ),
        (
            lambda w: optim.groups((w, optim.SGD(0.1)), (w, optim.SGD(0.2))),
            "groups: layer/weight f32[3,2]",
            "leave it out of one",
        ),
        (
            lambda w: optim.groups(
                (w, optim.SGD(0.1, signal=[optim.accumulate(2)])), signal=[optim.accumulate(2)]
            ),
            "groups: signal accumulates, and that of an optimizer as well",
            "in one of the two",
        ),
    ],
)
def test_what_are_no_groups_is_refused(
    make: Callable[[Any], object], message: str, hint: str
) -> None:
    _, layer = model()
    with pytest.raises(cr.GraphError, match=rf"^{re.escape(message)}[^\n]*{HERE}.*{hint}"):
        make([layer.weight])


def test_groups_that_do_not_fit_the_loss_are_refused() -> None:
    loss, layer = model()
    other = cr.parameter("other", (), 1.0)
    with pytest.raises(cr.GraphError, match=rf"groups: layer/bias .* is in no group{HERE}give an"):
        optim.groups(([layer.weight], optim.SGD(0.1))).minimize(loss)
    with pytest.raises(cr.GraphError, match=rf"groups: other .* is not among .*{HERE}leave it"):
        optim.groups(([other], optim.SGD(0.1)), optim.Adam()).minimize(loss)
