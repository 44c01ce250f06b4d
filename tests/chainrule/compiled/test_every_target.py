"""What a training may hold, on every target: the bits of this machine's code made as for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.emulated import EMULATORS, Emulated, need, need_emulated
from tests.other_targets import HereAs

import chainrule as cr
from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.c_programs import compiler
from chainc.backends.llvm.processors.by_name import processor_named
from chainc.backends.llvm.processors.native import host
from chainc.backends.llvm.processors.wasm32 import WASM32
from chainc.backends.target import Target
from chainc.ir.types import Array, static
from chainrule import losses, metrics, nn, optim, schedules, text

pytestmark = pytest.mark.skipif("x86_64" not in host().triple, reason="compares with SSE")

OTHERS = ("c", "wasm", *EMULATORS)
ROWS, HELD_OUT, BATCH = 40, 17, 16  # an epoch has two steps and a smaller one


def both(name: str) -> tuple[str | Target, str | Target]:
    """A target, and one that computes the same bits here."""
    if name == "c":
        need("cc")
        return "c", "llvm"
    if name == "wasm":
        return "wasm", HereAs(name, WASM32)
    need_emulated(name)
    return Emulated(name), HereAs(name, processor_named(name))


def rows(count: int, seed: int) -> dict[str, Array]:
    random = np.random.default_rng(seed)
    x = random.standard_normal((count, 6)).astype(np.float32)
    noise = random.standard_normal(count)
    return {"x": x, "y": (x[:, 0] + noise > 0).astype(np.int32)}


def stopping() -> cr.Training:
    """Batch normalization, dropout, metrics of sums and of all rows, and rules that end it."""
    x, y = cr.input("x", ("batch", 6)), cr.input("y", ("batch",), dtype="int32")
    layers = (nn.Linear(6, 9), nn.BatchNorm1d(9), nn.Tanh(), nn.Dropout(0.3), nn.Linear(9, 2))
    logits = nn.Sequential(*layers)(x)
    step = optim.Adam(lr=schedules.cosine(0.1, steps=60)).minimize(losses.cross_entropy(logits, y))
    measured = {"accuracy": metrics.accuracy(logits, y), "f1": metrics.f1(logits, y)}
    rule = cr.EarlyStopping("val_loss", patience=2)
    return cr.training(step, epochs=20, batch_size=BATCH, metrics=measured, stop=rule)


def adversaries() -> cr.Training:
    """Two steps on each batch, and a generator of what one of them is given."""
    x = cr.input("x", ("batch", 6))
    generator = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 6), name="generator")
    critic = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1), name="critic")
    made = generator(cr.normal(("batch", 3)))
    loss = losses.gan.discriminator(critic(x), critic(cr.stop_gradient(made)))
    d = optim.Adam(lr=0.01).minimize(loss, critic.parameters())
    of_made = losses.gan.generator(critic(made))
    g = optim.SGD(lr=0.1, momentum=0.5).minimize(of_made, generator.parameters())
    return cr.training([d, g], epochs=4, batch_size=BATCH)


def drawing() -> cr.Training:
    """Steps that read no rows, and a metric of all that they have drawn."""
    points = cr.normal((8, 3))
    w = cr.parameter("w", (3,), 0.0)
    step = optim.SGD(lr=0.1).minimize(cr.mean(cr.square(points @ (w - 1.5))))
    return cr.training(step, epochs=8, metrics={"farthest": cr.max(cr.abs(points))})


Declared = Callable[[], cr.Training]
TRAININGS: Sequence[Declared] = (stopping, adversaries, drawing)


def check(declare: Declared, name: str) -> None:
    """The same state, history and evaluation; it is not that of where the training began."""
    declared = declare()
    given = {leaf.op.label for leaf in declared.step.graph.leaves("input")} & {"x", "y"}
    data, held_out = (
        {key: array for key, array in rows(count, seed).items() if key in given}
        for count, seed in ((ROWS, 0), (HELD_OUT, 1))
    )
    validation = held_out if declare is stopping else None
    there, here = (cr.compile(declared, target=target) for target in both(name))
    found, expected = (
        each.run(data, validation=validation, progress=False) for each in (there, here)
    )
    assert bits(found.state) == bits(expected.state) != bits(here.initial_state())
    assert found.history == expected.history
    if declare is stopping:
        assert 3 <= len(found.history["loss"]) < declared.epochs
        assert there.evaluate(data, found.state) == here.evaluate(data, found.state)


def bits(state: cr.State) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in state.items()}


@pytest.fixture
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A C compiler takes longer than what it makes runs."""
    flags = ["-O0" if flag == "-O2" else flag for flag in FLAGS]
    monkeypatch.setattr(compiler, "FLAGS", flags)


def test_a_training_is_whole_in_webassembly() -> None:
    check(stopping, "wasm")


@pytest.mark.nightly
@pytest.mark.usefixtures("_quickly")
@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("declare", TRAININGS)
def test_a_training_is_whole_on_every_target(declare: Declared, name: str) -> None:
    check(declare, name)


@pytest.mark.nightly
@pytest.mark.usefixtures("_quickly")
@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("temperature", [0, 1.0])
def test_a_sampler_writes_the_same_on_every_target(name: str, temperature: float) -> None:
    layers = (nn.Embedding(11, 8), nn.GRU(8, 8), nn.Linear(8, 11))
    model = nn.Sequential(*layers, name="model")
    declared = text.sampler(model, 30, temperature=temperature)
    seed = {"seed": 7} if temperature else {}
    prompt = np.array([3, 1, 4], np.int32)
    random = np.random.default_rng(1)
    shapes = {str(slot.op.label): static(slot.shape) for slot in model.states()}
    drawn = {key: random.normal(size=shape) for key, shape in shapes.items()}
    state = cr.State({key: array.astype(np.float32) for key, array in drawn.items()})
    written = []
    for target in both(name):
        write = cr.compile(declared, target=target)
        written.append(np.asarray(write.bind(state)(prompt=prompt, **seed)))
    assert written[0].tolist() == written[1].tolist()
    assert temperature == 0 or len(set(written[0].tolist())) > 3


# --- a state goes from one target to the next

ALIKE = {"llvm": ["c", "llvm"], "wasm": ["x86-64", "cortex-m4"]}  # they leave the same bits


def dense() -> cr.Training:
    x, y = cr.input("x", ("batch", 6)), cr.input("y", ("batch",), dtype="int32")
    layers = (nn.Linear(6, 9), nn.Tanh(), nn.Dropout(0.2), nn.Linear(9, 2))
    loss = losses.cross_entropy(nn.Sequential(*layers)(x), y)
    return cr.training(optim.Adam(lr=0.05).minimize(loss), epochs=3, batch_size=BATCH)


def in_turns(names: Sequence[str], folder: Path) -> cr.State:
    """A state that each target continues for an epoch, from a file."""
    file = folder / "state"
    cr.compile(dense(), target="numpy").initial_state().save(file)
    for name in names:
        target = both(name)[0] if name in OTHERS else name
        program = cr.compile(dense(), target=target)
        given = cr.State.load(file)
        program.run(rows(ROWS, 0), state=given, epochs=1, progress=False).state.save(file)
    return cr.State.load(file)


@pytest.mark.nightly
@pytest.mark.usefixtures("_quickly")
@pytest.mark.parametrize("first", ALIKE)
def test_targets_that_round_alike_continue_a_state_with_the_same_bits(
    first: str, tmp_path: Path
) -> None:
    found = in_turns([first, *ALIKE[first]], tmp_path)
    assert bits(found) == bits(in_turns([first] * 3, tmp_path))


@pytest.mark.nightly
@pytest.mark.usefixtures("_quickly")
def test_any_target_continues_the_state_of_any_other(tmp_path: Path) -> None:
    """They draw the same numbers and visit the same rows; only roundings differ."""
    names = ["llvm", "c", "wasm", "numpy", *(name for name in EMULATORS if name != "x86-64-v4")]
    found, expected = in_turns(names, tmp_path), in_turns(["numpy"] * len(names), tmp_path)
    assert int(found["step"]) == 3 * len(names)
    for name, value in expected.items():
        difference = np.abs(found[name].astype(np.float64) - value.astype(np.float64))
        assert difference.max() <= 1e-4 * np.abs(value).max(), name
