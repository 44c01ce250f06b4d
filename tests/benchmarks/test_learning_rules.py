"""The benchmark of learning rules: the loop in NumPy is what it is compared with, and it learns."""

import numpy as np
from tests.benchmarks import learning_rules
from tests.benchmarks.learning_rules import DEEP, DIGITS, MNIST, PUBLISHED, generation

import chainrule as cr
from chainrule import nn, optim

SIZES = (5, 4, 3)


def test_a_generation_in_numpy_goes_down_the_gradient() -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(16, 5)).astype("f4")
    y = (np.arange(16) % 3).astype("i4")
    weights = learning_rules._weights(SIZES)
    network = learning_rules.Network(SIZES, nn.ReLU)
    slots = network.model.parameters()
    state = cr.State({s.op.label: w for s, w in zip(slots, weights, strict=True)})
    both = cr.compile([network.loss, *cr.grad(network.loss, slots)], target="numpy").bind(state)
    loss, *gradients = both(x=x, y=y)
    assert np.isclose(learning_rules._loss(weights, x, y), float(loss), rtol=1e-5)
    signals = generation(weights, x, y, population=256, sigma=0.02)
    first, second = (np.concatenate([g.ravel() for g in each]) for each in (signals, gradients))
    assert first @ second / np.linalg.norm(first) / np.linalg.norm(second) > 0.7


def test_what_is_named_again_is_in_the_tables() -> None:
    assert set(DEEP) <= set(DIGITS)
    assert set(PUBLISHED) <= set(MNIST)


def test_rules_in_the_tables_can_train_the_networks() -> None:
    for setting in DIGITS.values():
        network = learning_rules.Network((64, 6, 5, 10), setting.activation)
        assert isinstance(network.step(setting.rule, optim.Adam(lr=setting.rate)), optim.Step)
