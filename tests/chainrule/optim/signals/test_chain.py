"""What changes signals on their way: penalties, clipping, noise, frozen and accumulated ones."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import optim, schedules

Values = npt.NDArray[np.float64]

HERE = r"\n  where: .*test_chain\.py:\d+\n  try: "
TARGETS = ("numpy", "llvm")
RNG = np.random.default_rng(4)
FIRST = {"w": RNG.normal(size=(3, 2)), "b": RNG.normal(size=2)}
ROWS, AIMS = RNG.normal(size=(12, 3)), RNG.normal(size=(12, 2))


def regression() -> tuple[cr.Node, cr.Node, cr.Node]:
    """The loss of a linear model, its weight and its bias."""
    w, b = (
        cr.parameter(name, value.shape, value, dtype="float64") for name, value in FIRST.items()
    )
    x, y = cr.input("x", ("batch", 3), "float64"), cr.input("y", ("batch", 2), "float64")
    return cr.mean(cr.sum(cr.square(x @ w + b - y), axis=1)), w, b


def gradients(x: Values = ROWS, y: Values = AIMS) -> dict[str, Values]:
    """By hand, at the first values."""
    error = 2 * (x @ FIRST["w"] + FIRST["b"] - y) / len(x)
    return {"w": x.T @ error, "b": error.sum(axis=0)}


def moved(step: optim.Step, target: str, *batches: slice, **given: float) -> dict[str, Values]:
    """The parameters after a step on each of the batches."""
    return path(step, target, *batches, **given)[-1]


def path(step: optim.Step, target: str, *batches: slice, **given: float) -> list[dict[str, Values]]:
    """The parameters after each step."""
    run = cr.compile(step, target=target)
    run = run.bind(run.initial_state())
    seen = []
    for batch in batches or (slice(None),):
        run(x=ROWS[batch], y=AIMS[batch], **given)
        seen.append({name: run.state[name].astype(np.float64) for name in FIRST})
    return seen


def test_links_act_in_their_order() -> None:
    loss, w, _ = regression()
    decay, clip = 0.5 * 0.3 * cr.sum(w * w), optim.clip.by_value(0.5)
    g = gradients()
    before = np.clip(g["w"] + 0.3 * FIRST["w"], -0.5, 0.5)
    after = np.clip(g["w"], -0.5, 0.5) + 0.3 * FIRST["w"]
    assert not np.allclose(before, after)
    chains: list[tuple[list[cr.Node | optim.Transform], Values]] = [
        ([decay, clip], before),
        ([clip, decay], after),
    ]
    for chain, signal in chains:
        step = optim.SGD(0.1, signal=chain).minimize(loss)
        for target in TARGETS:
            found = moved(step, target)
            np.testing.assert_allclose(found["w"], FIRST["w"] - 0.1 * signal, rtol=1e-12)
            np.testing.assert_allclose(
                found["b"], FIRST["b"] - 0.1 * np.clip(g["b"], -0.5, 0.5), rtol=1e-12
            )


def test_a_penalty_is_no_part_of_the_loss_that_is_reported() -> None:
    loss, w, _ = regression()
    steps = (
        optim.SGD(0.1, signal=[cr.sum(cr.abs(w))]).minimize(loss),
        optim.SGD(0.1).minimize(loss),
    )
    with_penalty, plain = (cr.compile(step, target="numpy") for step in steps)
    state = plain.initial_state()
    assert with_penalty.bind(state)(x=ROWS, y=AIMS) == plain.bind(state)(x=ROWS, y=AIMS)


def test_a_function_of_ones_own_is_a_transform() -> None:
    loss, *_ = regression()

    def signs(signals: optim.Signals) -> optim.Signals:
        return {each: cr.sign(signal) for each, signal in signals.items()}

    step = optim.SGD(0.1, signal=[signs]).minimize(loss)
    found, g = moved(step, "numpy"), gradients()
    for name, value in FIRST.items():
        np.testing.assert_allclose(found[name], value - 0.1 * np.sign(g[name]), rtol=1e-12)
    assert {signal.op.name for signal in step.gradients} == {"sign"}


# --- clipping


def shortened(signal: Values, norm: float, limit: float) -> Values:
    return signal * min(1.0, limit / (norm + 1e-6))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("limit", [0.5, 1.5, 100.0])
def test_norms_are_clipped_alone_and_together(limit: float, target: str) -> None:
    loss, *_ = regression()
    g = gradients()
    whole = float(np.sqrt(sum((each**2).sum() for each in g.values())))
    alone = moved(optim.SGD(1.0, signal=[optim.clip.by_norm(limit)]).minimize(loss), target)
    chain = [optim.clip.by_global_norm(limit)]
    together = moved(optim.SGD(1.0, signal=chain).minimize(loss), target)
    for name, value in FIRST.items():
        own = shortened(g[name], float(np.linalg.norm(g[name])), limit)
        np.testing.assert_allclose(alone[name], value - own, rtol=1e-12)
        np.testing.assert_allclose(
            together[name], value - shortened(g[name], whole, limit), rtol=1e-12
        )


def test_clip_is_the_last_link_of_the_chain() -> None:
    loss, w, _ = regression()
    penalty, clip = 3.0 * cr.sum(w), optim.clip.by_value(0.5)
    found, last, first = (
        moved(sgd.minimize(loss), "numpy")["w"]
        for sgd in (
            optim.SGD(1.0, signal=[penalty], clip=clip),
            optim.SGD(1.0, signal=[penalty, clip]),
            optim.SGD(1.0, signal=[clip, penalty]),
        )
    )
    np.testing.assert_array_equal(found, last)
    assert not np.allclose(found, first)


@pytest.mark.parametrize("given", [1.0, cr.input("limit")])
def test_what_clips_is_a_transform(given: Any) -> None:
    with pytest.raises(cr.GraphError, match=r"SGD: clip is a \w+\n  where: .*\n  try: give a"):
        optim.SGD(1.0, clip=given)


def test_a_limit_may_be_an_input() -> None:
    loss, *_ = regression()
    limit = cr.input("limit", default=100.0)
    step = optim.SGD(1.0, signal=[optim.clip.by_value(limit)]).minimize(loss)
    g = gradients()["w"]
    assert np.allclose(moved(step, "numpy")["w"], FIRST["w"] - g)
    clipped = FIRST["w"] - np.clip(g, -0.25, 0.25)
    assert np.allclose(moved(step, "numpy", limit=0.25)["w"], clipped)


def test_parameters_of_both_precisions_are_clipped_by_one_norm() -> None:
    a, b = cr.parameter("a", (), 3.0), cr.parameter("b", (), 4.0, dtype="float64")
    loss = cr.square(a) / 2 + cr.square(b) / 2
    run = cr.compile(optim.SGD(1.0, signal=[optim.clip.by_global_norm(1.0)]).minimize(loss))
    run = run.bind(run.initial_state())
    run()
    assert run.state["a"] == pytest.approx(3 - 0.6, rel=1e-6)
    assert run.state["b"] == pytest.approx(4 - 0.8, rel=1e-6)


def test_nan_is_not_clipped_away() -> None:
    w = cr.parameter("w", (2,), np.array([np.nan, 1.0], np.float32))
    for clip in (optim.clip.by_value, optim.clip.by_norm, optim.clip.by_global_norm):
        run = cr.compile(optim.SGD(1.0, signal=[clip(1.0)]).minimize(cr.sum(w * w)))
        run = run.bind(run.initial_state())
        run()
        assert np.isnan(run.state["w"]).any()


# --- frozen, noisy, accumulated, maximised


def test_frozen_parameters_stay_and_nothing_is_kept_for_them() -> None:
    loss, w, b = regression()
    step = optim.Adam(0.1, signal=[optim.freeze([w])]).minimize(loss)
    assert step.parameters == (b,)
    assert not [slot for slot in step.updates if slot.op.label.endswith("/w")]
    found = moved(step, "numpy")
    assert np.array_equal(found["w"], FIRST["w"])
    assert np.allclose(found["b"], FIRST["b"] - 0.1 * np.sign(gradients()["b"]), rtol=1e-6)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "make",
    [
        lambda chain: optim.Adam(schedules.step_decay(0.1, 0.5, every=1), signal=chain),
        lambda chain: optim.NAdam(0.1, signal=chain),
        lambda chain: optim.SGD(0.1, momentum=0.9, signal=chain),
    ],
)
def test_accumulated_batches_are_one_large_batch(make: object, target: str) -> None:
    """Two updates of six rows, or each of them in three batches of two."""
    assert callable(make)
    loss, *_ = regression()
    large = moved(make([]).minimize(loss), target, slice(0, 6), slice(6, 12))
    parts = [slice(first, first + 2) for first in range(0, 12, 2)]
    small = path(make([optim.accumulate(3)]).minimize(loss), target, *parts)
    for name, first in FIRST.items():
        np.testing.assert_allclose(small[-1][name], large[name], rtol=1e-12)
        assert np.array_equal(small[1][name], first)


def test_batches_accumulate_in_a_compiled_loop() -> None:
    loss, w, _ = regression()
    step = optim.SGD(0.1, signal=[optim.accumulate(3)]).minimize(loss)
    program = cr.compile(cr.training(step, epochs=1, batch_size=4, shuffle=False))
    state = program.run({"x": ROWS, "y": AIMS}, progress=False).state
    assert np.allclose(state[w], FIRST["w"] - 0.1 * gradients()["w"])
    assert not state["accumulated/w"].any()


def test_noise_has_its_deviation_and_fades() -> None:
    w = cr.parameter("w", (200, 100), 0.0)
    still = cr.sum(w * 0.0)
    step = optim.SGD(1.0, signal=[optim.noise(0.2, decay=1.0)]).minimize(still)
    run = cr.compile(step)
    one, other = (run.bind(run.initial_state(seed)) for seed in (1, 2))
    seen = [one.state["w"].astype(np.float64)]
    for _ in range(4):
        one()
        seen.append(one.state["w"].astype(np.float64))
    for number, (before, after) in enumerate(pairwise(seen), start=1):
        drawn = after - before
        assert abs(drawn.mean()) < 0.01
        assert drawn.std() == pytest.approx(0.2 / np.sqrt(number), rel=0.03)
    assert abs(np.corrcoef((seen[1] - seen[0]).ravel(), (seen[2] - seen[1]).ravel())[0, 1]) < 0.03
    other()
    assert not np.array_equal(other.state["w"], seen[1])


@pytest.mark.parametrize("target", TARGETS)
def test_maximising_is_minimising_the_negative_and_reports_the_gain(target: str) -> None:
    loss, *_ = regression()
    up = optim.Adam(0.1, maximize=True).minimize(-loss)
    down = optim.Adam(0.1).minimize(loss)
    one, other = moved(up, target, *[slice(None)] * 3), moved(down, target, *[slice(None)] * 3)
    for name in FIRST:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12)
    run = cr.compile(up, target=target)
    assert run.bind(run.initial_state())(x=ROWS, y=AIMS)[0] < 0


# --- refusals


@pytest.mark.parametrize(
    ("chain", "message", "hint"),
    [
        (optim.clip.by_norm(1.0), "SGD: signal is a ByNorm, no list", "give transforms and"),
        ([1.0], "SGD: signal holds a float", "give transforms and"),
        ([cr.input("x", (3,))], r"SGD: signal holds x f32[3]", "give transforms and"),
        ([optim.accumulate(2), optim.accumulate(3)], "SGD: signal accumulates twice", "once"),
    ],
)
def test_what_is_no_chain_is_refused(chain: Any, message: str, hint: str) -> None:
    with pytest.raises(cr.GraphError, match=rf"^{re.escape(message)}.*{HERE}.*{hint}"):
        optim.SGD(0.1, signal=chain)


@pytest.mark.parametrize(
    ("transform", "message", "hint"),
    [
        (lambda _: [], "signal: a transform gave a list", "by parameter"),
        (lambda _: {}, "signal: a transform left no parameter", "freeze fewer"),
        (lambda s: {**s, 1: 2}, "signal: a transform gave a signal for 1, which", "or fewer"),
        (lambda s: dict.fromkeys(s, 1.0), "a float is no signal for w", "of type f64[3,2]"),
        (optim.freeze([cr.parameter("z", (), 1.0)]), "freeze: z f32[]", "leave this one out"),
        (cr.square(cr.parameter("z", (), 1.0)), "signal: the penalty multiply", "or leave it out"),
    ],
)
def test_links_that_do_not_fit_are_refused(transform: Any, message: str, hint: str) -> None:
    loss, *_ = regression()
    with pytest.raises(cr.GraphError, match=re.escape(message)) as caught:
        optim.SGD(0.1, signal=[transform]).minimize(loss)
    assert re.search(rf"{HERE}.*{re.escape(hint)}", str(caught.value))


def test_numbers_out_of_range_are_refused() -> None:
    for clip in (optim.clip.by_value, optim.clip.by_norm, optim.clip.by_global_norm):
        with pytest.raises(cr.InputError, match=rf"limit must be .* above 0, got 0.*{HERE}give a"):
            clip(0)
        with pytest.raises(cr.GraphError, match=rf"clip.by.*: x f32\[3\].* is no limit{HERE}give"):
            clip(cr.input("x", (3,)))
    with pytest.raises(cr.InputError, match=rf"accumulate: batches must be .*{HERE}give a number"):
        optim.accumulate(0)
    with pytest.raises(cr.InputError, match=rf"noise: deviation must be .*{HERE}give a small"):
        optim.noise(0)
    with pytest.raises(cr.InputError, match=rf"noise: decay must be .*{HERE}give decay"):
        optim.noise(1.0, decay=-1)
    with pytest.raises(cr.GraphError, match=rf"freeze: x f32\[3\] .* is no parameter{HERE}give"):
        optim.freeze([cr.input("x", (3,))])
