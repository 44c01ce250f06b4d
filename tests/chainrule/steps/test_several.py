"""Several steps on each minibatch, against a loop in NumPy that does one after another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import topological
from chainc.ir.types import Array
from chainrule import losses, nn, optim
from chainrule.steps.step import Step

HERE = Path(__file__).name
X = np.random.default_rng(3).standard_normal((24, 3))


def two(second_every: int = 1) -> cr.Training:
    """V learns what x w is, w learns to move away from it."""
    x = cr.input("x", ("batch", 3), dtype="float64")
    w, v = (cr.parameter(name, (3,), init, dtype="float64") for name, init in _first())
    gap = cr.mean(cr.square(x @ w - x @ v))
    chase = optim.SGD(lr=0.1, momentum=0.5).minimize(gap, [v])
    flee = optim.SGD(lr=0.2, maximize=True).minimize(gap + cr.mean(x @ w), [w])
    steps = [chase, flee.every(second_every)] if second_every > 1 else [chase, flee]
    names = dict(zip(("chase", "flee"), steps, strict=True))
    return cr.training(names, epochs=3, batch_size=8, shuffle=False)


def _first() -> list[tuple[str, cr.init.InitializerLike]]:
    return [("w", cr.init.constant(0.5)), ("v", cr.init.constant(-0.25))]


def in_numpy(every: int = 1) -> tuple[Array, Array, list[float], list[float]]:
    w, v, velocity = np.full(3, 0.5), np.full(3, -0.25), np.zeros(3)
    chased, fled = [], []
    for epoch in range(3):
        seen: list[tuple[float, float]] = []
        for place, start in enumerate(range(0, 24, 8)):
            x = X[start : start + 8]
            error = x @ w - x @ v
            loss = (error**2).mean()
            velocity = 0.5 * velocity - 2 * x.T @ error / 8
            v = v - 0.1 * velocity
            error = x @ w - x @ v
            seen.append((loss, (error**2).mean() + (x @ w).mean()))
            if (3 * epoch + place) % every == 0:
                w = w + 0.2 * (2 * x.T @ error / 8 + x.mean(axis=0))
        chased.append(float(np.mean([a for a, _ in seen])))
        fled.append(float(np.mean([b for _, b in seen])))
    return w, v, chased, fled


@pytest.mark.parametrize("target", ["llvm", "numpy"])
@pytest.mark.parametrize("every", [1, 2])
def test_each_step_reads_what_the_one_before_has_written(target: str, every: int) -> None:
    result = cr.compile(two(every), target=target).run({"x": X})
    w, v, chased, fled = in_numpy(every)
    assert result.state["w"].tolist() == pytest.approx(w.tolist(), rel=1e-12)
    assert result.state["v"].tolist() == pytest.approx(v.tolist(), rel=1e-12)
    np.testing.assert_allclose(result.history["chase_loss"], chased, rtol=1e-6)
    np.testing.assert_allclose(result.history["flee_loss"], fled, rtol=1e-6)
    assert result.state["step"] == 9


def test_the_second_reads_new_values_in_the_graph() -> None:
    training = two()
    graph = training.graph
    assert graph.names[:2] == ("chase_loss", "flee_loss")
    slots = {node.op.label: node for node in graph.leaves("state")}
    assert slots["sgd/velocity/v"] in _below(graph.updates[slots["w"]])
    assert slots["sgd/velocity/v"] not in _below(training.evaluation.outputs[1])


def _below(node: cr.Node) -> set[cr.Node]:
    return set(topological([node]))


@pytest.mark.parametrize("target", ["llvm", "numpy"])
def test_a_generator_and_its_critic_learn(target: str) -> None:
    real, noise = cr.input("real", ("batch", 1)), cr.normal(("batch", 4))
    generator, critic = nn.Linear(4, 1), nn.MLP(1, 16, 1)
    fake = generator(noise)
    d = optim.Adam(0.01, betas=(0.5, 0.999)).minimize(
        losses.gan.discriminator(critic(real), critic(cr.stop_gradient(fake))), critic.parameters()
    )
    g = optim.Adam(0.02, betas=(0.5, 0.999)).minimize(
        losses.gan.generator(critic(fake)), generator.parameters()
    )
    program = cr.compile(cr.training([d, g], epochs=150, batch_size=64), target=target)
    data = (3.0 + np.random.default_rng(0).standard_normal((256, 1))).astype(np.float32)
    result = program.run({"real": data}, d_lr=0.02)
    made = cr.compile(fake, target=target, batch=2000).bind(result)
    assert np.mean(np.asarray(made())) == pytest.approx(3.0, abs=0.8)
    assert list(result.history) == ["d_loss", "g_loss"]


def test_threads_and_parts_leave_the_same_bits() -> None:
    real, noise = cr.input("real", ("batch", 64)), cr.normal(("batch", 32))
    generator, critic = nn.MLP(32, 256, 64), nn.MLP(64, 256, 1)
    fake = generator(noise)
    d = optim.Adam(0.01).minimize(
        losses.gan.discriminator(critic(real), critic(cr.stop_gradient(fake))), critic.parameters()
    )
    g = optim.Adam(0.01).minimize(losses.gan.generator(critic(fake)), generator.parameters())
    data = np.random.default_rng(0).standard_normal((300, 64)).astype(np.float32)
    declared = cr.training([d, g], epochs=4, batch_size=64)
    one, two_threads = (cr.compile(declared, threads=threads) for threads in (1, 2))
    whole = one.run({"real": data}).state
    assert two_threads.run({"real": data}).state == whole
    part = one.run({"real": data}, epochs=3)
    assert one.run({"real": data}, state=part, epochs=1).state == whole


def one_step() -> Step:
    x = cr.input("x", ("batch", 3))
    return optim.SGD(lr=0.1).minimize(cr.mean(cr.square(x * cr.parameter("w", (3,), 1.0))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: [s, s], "one step stands twice"),
        (lambda s: {"a": s, "b": s}, "the steps 'a' and 'b' both update w"),
        (lambda s: {"a": s, "b/c": one_step()}, "'b/c' is no name"),
        (lambda s: [s, 3], "a int is no step"),
        (lambda _: [], "a list is no step"),
        (lambda s: s.every(0), "every: steps"),
    ],
)
def test_steps_that_do_not_go_together_are_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(cr.ChainruleError, match=rf"{message}[\s\S]*{HERE}"):
        cr.training(make(one_step()), epochs=1, batch_size=4)
