"""The order of kernels that keeps few bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.ir.types import bind, coefficient_of
from chainc.lowering.kernels import Kernel
from chainc.lowering.lower import lower
from chainc.lowering.memory import lifetimes, plan, reuse_in_place
from chainc.lowering.order import _Ordering, thrifty
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View
from chainc.ops.formula import is_recomputed
from chainc.passes.recompute import ForwardPass, Terms, recomputing
from chainrule import losses, nn, optim

SIZES = {"batch": 64}
x = cr.input("x", ("batch", 8))
LAYERS = [cr.parameter(f"w{number}", (8, 8), 0.1) for number in range(6)]


def step(activations: Sequence[Callable[[Node], Node]] = (cr.tanh,)) -> Graph:
    h = x
    for weight in LAYERS:
        h = h @ weight
        for activation in activations:
            h = activation(h)
    gradients = cr.grad(cr.sum(h), LAYERS)
    return Graph((), {w: w - g for w, g in zip(LAYERS, gradients, strict=True)})


def arena(program: Program) -> int:
    return plan(program).sizes["batch",]


def is_late(kernel: Kernel) -> bool:
    return kernel.node is not None and is_recomputed(kernel.node)


def is_sound(program: Program) -> bool:
    """Is every buffer written before it is read?"""
    written: set[Buffer] = {kernel.out for kernel in program.prologue}
    for kernel in program.body:
        if any(v.buffer.role == "work" and v.buffer not in written for v in kernel.reads):
            return False
        written.update(kernel.outs)
    return True


def test_the_same_kernels_in_an_order_that_needs_less() -> None:
    program = lower(step())
    ordered = thrifty(program, SIZES)
    assert set(map(id, ordered.body)) == set(map(id, program.body))
    assert len(ordered.body) == len(program.body)
    assert is_sound(ordered)
    assert arena(ordered) < arena(program)


def test_what_is_computed_again_comes_right_before_its_first_reader() -> None:
    graph = step((cr.tanh, cr.exp))
    chosen = ForwardPass(graph, SIZES).chosen(Terms(price=1024, parts=2))
    places = {place for place, node in enumerate(graph.nodes) if node in chosen}
    program = lower(recomputing(places)(graph))
    ordered = thrifty(program, SIZES)
    assert is_sound(ordered)
    assert arena(ordered) < arena(program)
    assert arena(ordered) < arena(thrifty(lower(graph), SIZES))
    late = [at for at, kernel in enumerate(ordered.body) if is_late(kernel)]
    assert late
    for at in late:
        following = ordered.body[at + 1]
        assert is_late(following) or any(v.buffer in ordered.body[at].outs for v in following.reads)


def test_parts_of_one_buffer_keep_their_order() -> None:
    y = cr.concat([cr.exp(x), cr.pad(cr.tanh(x), ((0, 0), (1, 1)))], axis=1)
    program = lower(Graph((y, cr.sum(y))))
    ordered = thrifty(program, SIZES)
    assert is_sound(ordered)
    for buffer in {kernel.out for kernel in program.body}:
        parts, kept = ([k for k in p.body if k.out is buffer] for p in (program, ordered))
        assert parts == kept


def test_a_training_needs_little_more_than_its_backward_pass_begins_with() -> None:
    """A gradient of weights is computed while what it is computed from is there."""
    image, label = cr.input("image", ("batch", 3, 8, 8)), cr.input("label", ("batch",), cr.int32)
    blocks = [
        nn.Residual(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()) for _ in range(6)
    ]
    head = (nn.GlobalAvgPool2d(), nn.Linear(8, 4))
    logits = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *blocks, *head)(image)
    declared = optim.SGD(0.1).minimize(losses.cross_entropy(logits, label))
    training = cr.compile(cr.training(declared, epochs=1, batch_size=64), target="numpy")
    program = reuse_in_place(training._compiled.loop.step)
    spans, loss = lifetimes(program), program.outputs[0]
    assert isinstance(loss, View)
    begun = next(at for at, kernel in enumerate(program.body) if loss.buffer in kernel.outs)
    live = sum(
        coefficient_of(bind(buffer.type.nbytes, SIZES))
        for buffer, life in spans.items()
        if buffer.role == "work" and life.start <= begun < life.end
    )
    assert arena(program) * SIZES["batch"] <= 1.15 * live
    unordered = reuse_in_place(lower(training.stages[-1].graph))
    assert arena(program) < 0.85 * arena(unordered)


def test_what_all_read_is_not_looked_at_for_each_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The norm by which gradients are clipped: else the time grows as the square of the layers."""
    looks: list[int] = []
    once = _Ordering._growth_now

    def counted(self: _Ordering, run: Sequence[int]) -> int:
        looks.extend(run)
        return once(self, run)

    monkeypatch.setattr(_Ordering, "_growth_now", counted)

    def shares(layers: int) -> float:
        logits = nn.MLP(*[8] * layers, 4)(x)
        adam = optim.Adam(lr=0.1, clip=optim.clip.by_global_norm(1.0))
        made = adam.minimize(cr.mean(cr.square(logits)))
        program = lower(Graph((made.loss,), made.updates))
        looks.clear()
        assert is_sound(thrifty(program, SIZES))
        return len(looks) / len(program.body)

    assert shares(40) < 1.2 * shares(10)
