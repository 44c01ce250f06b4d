"""Writing token by token, against the same model over whole sequences."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ir import Node
from chainc.ir.types import static
from chainrule import nn, text

VOCABULARY, WIDTH = 11, 8
PROMPT = np.array([3, 1, 4, 1, 5], np.int32)
TARGETS = ("numpy", "llvm")
Tokens = npt.NDArray[np.int32]


def recurrent(layer: type[nn.LSTM | nn.GRU | nn.RNN], layers: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Embedding(VOCABULARY, WIDTH),
        layer(WIDTH, WIDTH, layers, dropout=0.5),
        nn.Dropout(0.5),
        nn.Linear(WIDTH, VOCABULARY),
        name="model",
    )


def states(model: nn.Module) -> cr.State:
    """Larger weights than at first, so that the tokens are not all the same."""
    rng = np.random.default_rng(1)
    shapes = {str(each.op.label): each.type for each in model.states()}
    values = {key: rng.normal(size=static(type.shape)) * 2.0 for key, type in shapes.items()}
    return cr.State({key: value.astype(np.float32) for key, value in values.items()})


def written(model: nn.Module, target: str, prompt: Tokens = PROMPT, **options: Any) -> Tokens:
    length = options.pop("length", 9)
    made = cr.compile(text.sampler(model, length, **options), target=target)
    seed = {} if options.get("temperature") == 0 else {"seed": 7}
    found: Tokens = np.asarray(made.bind(states(model))(prompt=prompt, **seed))
    return found


def test_a_temperature_may_be_given_at_each_call() -> None:
    model = recurrent(nn.GRU, 1)
    declared = text.sampler(model, 40, temperature=cr.input("temperature"))
    write = cr.compile(declared, target="numpy").bind(states(model))
    for temperature in (0.5, 2.0):
        found = write(prompt=PROMPT, seed=7, temperature=temperature)
        fixed = written(model, "numpy", temperature=temperature, length=40)
        np.testing.assert_array_equal(found, fixed)


@pytest.mark.parametrize(("layer", "layers"), [(nn.LSTM, 1), (nn.GRU, 2), (nn.RNN, 1)])
def test_the_likeliest_are_those_of_the_whole_sequence(
    layer: type[nn.LSTM | nn.GRU | nn.RNN], layers: int
) -> None:
    model = recurrent(layer, layers)
    found = [written(model, target, temperature=0) for target in TARGETS]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].dtype == np.int32
    whole = np.concatenate([PROMPT, found[0]])
    x = cr.input("x", (1, whole.size), dtype="int32")
    logits = cr.compile(model(x), target="numpy").bind(states(model))(x=whole[None])
    likeliest = np.asarray(logits)[0].argmax(-1)[PROMPT.size - 1 : -1]
    np.testing.assert_array_equal(found[0], likeliest)
    assert len(set(found[0].tolist())) > 1


CONTEXT, HALF = 8, 4


def transformer(**options: Any) -> nn.Module:
    return nn.Transformer(
        VOCABULARY, width=WIDTH, heads=2, layers=1, context=CONTEXT, name="model", **options
    )


def parts() -> nn.Module:
    """The layers of a Transformer one after the other, and a recurrent one."""
    table = nn.LearnedPositions(CONTEXT, WIDTH)
    block = nn.TransformerBlock(WIDTH, 2, causal=True, dropout=0.3)
    return nn.Sequential(
        nn.Embedding(VOCABULARY, WIDTH), table, block, nn.GRU(WIDTH, WIDTH),
        nn.Linear(WIDTH, VOCABULARY), name="model",
    )  # fmt: skip


def likeliest_by_pieces(model: nn.Module, prompt: Tokens, length: int) -> list[int]:
    """From the last half of the context on, over and over, with all of it read each time."""
    x = cr.input("x", (1, CONTEXT), dtype="int32")
    function = cr.compile(model(x), target="numpy").bind(states(model))
    found: list[int] = []
    while len(found) < length:
        known = [*prompt.tolist(), *found][-HALF:]
        for _ in range(HALF):
            padded = np.array([[*known, *[0] * CONTEXT][:CONTEXT]], np.int32)
            known.append(int(np.asarray(function(x=padded))[0, len(known) - 1].argmax()))
        found += known[-HALF:]
    return found[:length]


@pytest.mark.parametrize(
    ("made", "count"),
    [(transformer, 1), (parts, 1), (parts, 4),
     (lambda: transformer(positions="rotary", norm_first=False), 7),
     (lambda: transformer(positions="sinusoidal", tied=True, dropout=0.2), 3)],
)  # fmt: skip
def test_attention_keeps_keys_and_values(made: Callable[[], nn.Module], count: int) -> None:
    model, prompt = made(), np.arange(count, dtype=np.int32)
    wanted = likeliest_by_pieces(model, prompt, 6)
    for target in TARGETS if made is transformer else TARGETS[:1]:
        found = written(model, target, prompt, temperature=0, length=6)
        assert found.tolist() == wanted


@pytest.mark.parametrize("made", [lambda: recurrent(nn.GRU), transformer])
def test_a_prompt_of_all_that_is_written_goes_on(made: Callable[[], nn.Module]) -> None:
    model, rest = made(), 5
    whole = written(model, "numpy", temperature=0, length=HALF + rest)
    begun = np.concatenate([PROMPT, whole[:HALF]])
    found = written(model, "numpy", begun, temperature=0, length=rest)
    np.testing.assert_array_equal(found, whole[HALF:])


@pytest.mark.parametrize("layers", [1, 2])
def test_each_token_goes_through_the_model_once(layers: int) -> None:
    """Layers attend once for the prompt, and once in each step, for both windows."""
    model = nn.Transformer(VOCABULARY, WIDTH, heads=2, layers=layers, context=CONTEXT)
    source = cr.compile(text.sampler(model, 6, temperature=0), target="numpy").source
    parts = re.split(r"^ +for t\w* in .*$", source, flags=re.MULTILINE)
    assert [part.count("np.exp(") for part in parts] == [layers, 0, layers]


def test_weights_are_read_once_for_both_windows() -> None:
    """A product of two rows with each of the five."""
    source = cr.compile(text.sampler(transformer(), 6, temperature=0), target="numpy").source
    step = source[source.rindex("for t") :]
    products = re.findall(r"np\.matmul\(.*reshape\(\((\d+), \d+\)\), \w+weight, ", step)
    assert products == ["2"] * 5


def test_keys_are_written_in_place() -> None:
    """No step copies what is kept of the steps before."""
    source = cr.compile(text.sampler(transformer(), 6), target="numpy").source
    steps = source[source.index("        for t in ") :]
    kept = re.findall(r"np\.add\.at\((\w+), np\.s_\[", steps)
    assert len(kept) == 2
    inner = [line for line in steps.splitlines() if line.startswith(" " * 16)]
    assert not [name for name in kept for line in inner if f"np.copyto({name}," in line]


def test_a_seed_gives_one_text() -> None:
    model = recurrent(nn.LSTM)
    function = cr.compile(text.sampler(model, 30, top_k=8, top_p=0.95)).bind(states(model))
    first = function(prompt=PROMPT, seed=1)
    np.testing.assert_array_equal(function(prompt=PROMPT, seed=1), first)
    assert not np.array_equal(function(prompt=PROMPT, seed=2), first)
    other = cr.compile(text.sampler(model, 30, top_k=8, top_p=0.95), target="numpy")
    np.testing.assert_array_equal(other.bind(states(model))(prompt=PROMPT, seed=1), first)
    assert function(prompt=PROMPT[:1], seed=1).shape == (30,)


def test_prompts_are_refused() -> None:
    model = recurrent(nn.RNN)
    for target in TARGETS:
        function = cr.compile(text.sampler(model, 3), target=target).bind(states(model))
        pattern = r"'time' is 0: the arrays given are empty\n  where: .*test_sampler.*\n  try: "
        with pytest.raises(cr.InputError, match=pattern):
            function(prompt=PROMPT[:0], seed=1)
        pattern = r"'prompt' holds the index 11 at \[2\], out of range.*\n  where: .*\n  try: "
        with pytest.raises(cr.InputError, match=pattern):
            function(prompt=np.array([0, 3, 11], np.int32), seed=1)


class Twice(nn.Module):
    """A layer that does not say how it goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.RNN(WIDTH, WIDTH)

    def forward(self, x: Node) -> Node:
        return self.inner(self.inner(x))


class Echo(nn.Module):
    """A layer that adds the element before, and does not say how it reads several."""

    def start(self, batch: int, length: int | None = None) -> tuple[Node, ...]:
        return (cr.broadcast_to(cr.constant(0.0), (batch, WIDTH)),)

    def step(self, carry: Sequence[Node], x: Node, position: Node) -> tuple[tuple[Node, ...], Node]:
        return (x,), x + carry[0]


class Shifted(nn.Module):
    """A layer of a user's, which reads one position at a time, and has no form for several."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.LearnedPositions(CONTEXT, WIDTH)

    def forward(self, x: Node) -> Node:
        return cr.cumsum(self.table(x), axis=-1) * 0.1

    def step(self, carry: Sequence[Node], x: Node, position: Node) -> tuple[tuple[Node, ...], Node]:
        assert position.ndim == 0
        return (), cr.cumsum(x + cr.take(self.table.weight, position), axis=-1) * 0.1


def test_a_layer_of_a_user_reads_one_position_at_a_time() -> None:
    model, prompt = ending_in(Shifted(), nn.Linear(WIDTH, VOCABULARY)), np.arange(3, dtype=np.int32)
    wanted = likeliest_by_pieces(model, prompt, 11)
    for target in TARGETS:
        assert written(model, target, prompt, temperature=0, length=11).tolist() == wanted


@pytest.mark.parametrize("context", [1, 2, 3])
def test_few_positions_are_enough(context: int) -> None:
    """With one or two, a token is all that the next one is written behind; with three as well."""
    model = nn.Transformer(VOCABULARY, WIDTH, heads=2, layers=1, context=context, name="model")
    found = written(model, "numpy", PROMPT, temperature=0, length=4).tolist()
    x = cr.input("x", (1, 1), dtype="int32")
    function = cr.compile(model(x), target="numpy").bind(states(model))
    known = int(PROMPT[-1])
    for token in found:
        known = int(np.asarray(function(x=np.array([[known]], np.int32))).argmax())
        assert token == known


def ending_in(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Embedding(VOCABULARY, WIDTH), *layers, name="model")


nothing: Any = None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: text.sampler(ending_in(Twice())), cr.GraphError,
         "Twice does not say how it goes on from one element to the next, as its part"),
        (lambda: text.sampler(ending_in(nn.LSTM(WIDTH, 3, bidirectional=True))), cr.GraphError,
         "it also goes backwards"),
        (lambda: text.sampler(ending_in(nn.MultiHeadAttention(WIDTH, 2, causal=True))),
         cr.GraphError, "attention keeps the keys of every element: how many are there"),
        (lambda: text.sampler(ending_in(nn.LearnedPositions(4, WIDTH), Echo())), cr.GraphError,
         "Echo does not say how it goes through several elements at once"),
        (lambda: text.sampler(transformer(causal=False)), cr.GraphError, "that come later"),
        (lambda: text.sampler(nothing), cr.InputError, "sampler: a NoneType is no model"),
        (lambda: text.sampler(ending_in(nn.Lambda(lambda x: x[0]))), cr.ShapeError,
         r"the model gives f32\[8\] for a token, not a row of logits"),
        (lambda: text.sampler(ending_in(), 0), cr.InputError, "sampler: length"),
        (lambda: text.sampler(ending_in(), temperature=-1.0), cr.InputError, "temperature"),
        (lambda: text.sampler(ending_in(), temperature=cr.input("t", (2,))), cr.InputError,
         r"sampler: the temperature t f32\[2\] .* is no scalar"),
        (lambda: text.sampler(ending_in(), top_k=0), cr.InputError, "sampler: top_k"),
        (lambda: text.sampler(ending_in(), top_p=0.0), cr.InputError, "sampler: top_p"),
    ],
)  # fmt: skip
def test_what_cannot_write(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n  where: " in str(caught.value)
    assert "\n  try: " in str(caught.value)
