"""Layers over sequences with the weights of PyTorch's: the same outputs and gradients.

Everything is in double precision and agrees within 1e-10, on both targets, in drawn settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainc.ir.types import Array, static
from chainrule import nn
from chainrule.nn.sequences import recurrent

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")

DOUBLE = torch.float64
Random = np.random.Generator


@dataclass
class Pair:
    """One layer twice: results of ours and of theirs, and which weights are the same."""

    results: Sequence[cr.Node]
    inputs: Mapping[cr.Node, Array]
    weights: Mapping[cr.Node, Any]  # ours: theirs
    theirs: Callable[..., Sequence[Any]]  # of tensors, in the order of the inputs
    transposed: bool = True  # are matrices (out, in) there?


def check(pair: Pair, target: str, random: Random) -> None:
    """Values, and gradients of a weighted sum of them for floating-point inputs and weights."""
    factors = [random.normal(size=static(node.shape)) for node in pair.results]
    terms = [cr.sum(a * cr.constant(b)) for a, b in zip(pair.results, factors, strict=True)]
    given = [node for node in pair.inputs if node.dtype.is_float]
    gradients = cr.grad(reduce(cr.add, terms), [*given, *pair.weights])
    function = cr.compile([*pair.results, *gradients], target=target)
    state = {
        node.op.label: np.ascontiguousarray(turned(theirs.detach().numpy(), pair))
        for node, theirs in pair.weights.items()
    }
    bound = function.bind(cr.State(state)) if state else function
    ours = bound(**{node.op.label: value for node, value in pair.inputs.items()})

    tensors = {node: torch.tensor(value) for node, value in pair.inputs.items()}
    leaves = [tensors[node].requires_grad_() for node in given]
    results = pair.theirs(*tensors.values())
    pairs = zip(results, factors, strict=True)
    loss = reduce(torch.add, [(a * torch.tensor(b)).sum() for a, b in pairs])
    found = torch.autograd.grad(loss, [*leaves, *pair.weights.values()])
    expected = [each.detach().numpy() for each in (*results, *found[: len(leaves)])]
    expected += [turned(each.numpy(), pair) for each in found[len(leaves) :]]
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def turned(weight: Array, pair: Pair) -> Array:
    return weight.T if pair.transposed else weight


def floats(name: str, shape: Sequence[int], random: Random) -> tuple[cr.Node, Array]:
    return cr.input(name, shape, dtype="float64"), random.normal(size=shape)


def chance(random: Random) -> bool:
    return bool(random.random() < 0.5)


# --- recurrent layers


RECURRENT: Mapping[str, tuple[Callable[..., recurrent.Recurrent], Any]] = {
    "RNN": (nn.RNN, torch.nn.RNN),
    "LSTM": (nn.LSTM, torch.nn.LSTM),
    "GRU": (nn.GRU, torch.nn.GRU),
}


def recurrent_pair(kind: str, random: Random) -> Pair:
    features, hidden, layers = (int(each) for each in random.integers(1, (6, 6, 4)))
    batch, time = (int(each) for each in random.integers(1, (5, 7)))
    both, cut = chance(random), chance(random)
    declare, declare_theirs = RECURRENT[kind]
    own = {"nonlinearity": "relu"} if kind == "RNN" and chance(random) else {}
    ours = declare(features, hidden, layers, bidirectional=both, dtype="float64", **own)
    other = declare_theirs(
        features, hidden, layers, bidirectional=both, batch_first=True, dtype=DOUBLE, **own
    )
    x, value = floats("x", (batch, time, features), random)
    lengths = cr.input("lengths", (batch,), dtype="int64")
    counts = random.integers(1, time + 1, batch)
    every, last = ours.run(x, lengths if cut else None)

    def theirs(given: Any, ends: Any = None) -> Sequence[Any]:
        if ends is None:
            result, carried = other(given)
        else:
            pack = torch.nn.utils.rnn.pack_padded_sequence
            packed, carried = other(pack(given, ends, batch_first=True, enforce_sorted=False))
            pad = torch.nn.utils.rnn.pad_packed_sequence
            result, _ = pad(packed, batch_first=True, total_length=time)
        states = carried if kind == "LSTM" else (carried,)
        return [result, *(each for layer in zip(*states, strict=True) for each in layer)]

    return Pair(
        [every, *(carry for layer in last for carry in layer)],
        {x: value, **({lengths: counts} if cut else {})},
        {
            getattr(cell, name): part
            for place, cell in enumerate(ours.cells)
            for name, part in recurrent_weights(other, place, directions=1 + both).items()
        },
        theirs,
    )


def recurrent_weights(other: Any, place: int, directions: int) -> Mapping[str, Any]:
    end = f"l{place // directions}{'_reverse' if place % directions else ''}"
    names = {"input": "ih", "hidden": "hh"}
    return {
        f"{which}_{what}": getattr(other, f"{what}_{short}_{end}")
        for which, short in names.items()
        for what in ("weight", "bias")
    }


# --- attention


def attention_weights(ours: nn.MultiHeadAttention, other: Any) -> dict[cr.Node, Any]:
    products = [(ours.query_key_value, other.in_proj_weight, other.in_proj_bias)]
    products.append((ours.output, other.out_proj.weight, other.out_proj.bias))
    found = {layer.weight: weight for layer, weight, _ in products}
    return found | {layer.bias: bias for layer, _, bias in products if layer.bias is not None}


def drawn_mask(
    shape: tuple[int, int, int], random: Random, *, causal: bool
) -> tuple[dict[str, tuple[cr.Node, Array]], Any]:
    """What of a mask and lengths is given, and both as PyTorch's: (batch, time, keys), hidden."""
    batch, time, keys = shape
    mask = random.random(shape) < 0.6
    mask[..., 0] = True  # a row with nothing to attend to is NaN in PyTorch
    counts = random.integers(1, keys + 1, batch)
    given: dict[str, tuple[cr.Node, Array]] = {}
    seen = np.tri(time, keys, dtype=bool)[None] if causal else np.ones(shape, bool)
    if chance(random):
        given["mask"] = cr.input("mask", shape, dtype="bool"), mask
        seen = seen & mask
    if chance(random):
        given["lengths"] = cr.input("lengths", (batch,), dtype="int64"), counts
        seen = seen & (np.arange(keys) < counts[:, None, None])
    return given, torch.tensor(~np.broadcast_to(seen, shape))


def attention_pair(random: Random) -> Pair:
    heads, size, batch, time, keys = (int(each) for each in random.integers(1, (4, 5, 4, 7, 7)))
    cross, bias = chance(random), chance(random)
    causal = not cross and chance(random)
    width, keys = heads * size, keys if cross else time
    ours = nn.MultiHeadAttention(width, heads, causal=causal, bias=bias, dtype="float64")
    other = torch.nn.MultiheadAttention(width, heads, bias=bias, batch_first=True, dtype=DOUBLE)
    x, value = floats("x", (batch, time, width), random)
    context, there = floats("context", (batch, keys, width), random)
    masks, hidden = drawn_mask((batch, time, keys), random, causal=causal)
    named = {name: node for name, (node, _) in masks.items()}

    def theirs(given: Any, *others: Any) -> Sequence[Any]:
        source = others[0] if cross else given
        mask = hidden.repeat_interleave(heads, 0)
        return [other(given, source, source, attn_mask=mask, need_weights=False)[0]]

    return Pair(
        [ours(x, context=context if cross else None, **named)],
        {x: value, **({context: there} if cross else {}), **dict(masks.values())},
        attention_weights(ours, other),
        theirs,
    )


def block_pair(random: Random, *, cross: bool = False) -> Pair:
    heads, size, batch, time, keys = (int(each) for each in random.integers(1, (4, 4, 4, 6, 6)))
    width, hidden = heads * size, int(random.integers(1, 9))
    first, bias, causal = chance(random), chance(random), chance(random)
    activation, other_activation = [(nn.ReLU, "relu"), (nn.GELU, "gelu")][random.integers(2)]
    ours = nn.TransformerBlock(
        width, heads, hidden=hidden, causal=causal, cross=cross, norm_first=first, bias=bias,
        activation=activation, dtype="float64",
    )  # fmt: skip
    kind = torch.nn.TransformerDecoderLayer if cross else torch.nn.TransformerEncoderLayer
    other = kind(
        width, heads, hidden, dropout=0.0, activation=other_activation, norm_first=first,
        batch_first=True, bias=bias, dtype=DOUBLE,
    )  # fmt: skip
    x, value = floats("x", (batch, time, width), random)
    context, there = floats("context", (batch, keys, width), random)
    masks, unseen = drawn_mask((batch, time, time), random, causal=causal)
    named = {name: node for name, (node, _) in masks.items()}

    def theirs(given: Any, *others: Any) -> Sequence[Any]:
        mask = unseen.repeat_interleave(heads, 0)
        if cross:
            return [other(given, others[0], tgt_mask=mask)]
        return [other(given, src_mask=mask)]

    return Pair(
        [ours(x, context=context if cross else None, **named)],
        {x: value, **({context: there} if cross else {}), **dict(masks.values())},
        block_weights(ours, other),
        theirs,
    )


def block_weights(ours: nn.TransformerBlock, other: Any) -> dict[cr.Node, Any]:
    found = attention_weights(ours.attention, other.self_attn)
    norms = [ours.attention_norm, ours.feed_forward_norm]
    if ours.cross_attention is not None and ours.cross_norm is not None:
        found |= attention_weights(ours.cross_attention, other.multihead_attn)
        norms.insert(1, ours.cross_norm)
    ends = [part for part in ours.feed_forward.children() if isinstance(part, nn.Linear)]
    for layer, theirs in zip(ends, (other.linear1, other.linear2), strict=True):
        found |= {layer.weight: theirs.weight}
        found |= {} if layer.bias is None else {layer.bias: theirs.bias}
    for place, norm in enumerate(norms, start=1):
        theirs = getattr(other, f"norm{place}")
        found |= {part: getattr(theirs, name) for name, part in own_parts(norm)}
    return found


# --- normalisation, and vectors for numbers


def norm_pair(random: Random, *, rms: bool) -> Pair:
    shape = tuple(int(each) for each in random.integers(1, 6, random.integers(2, 5)))
    own, eps = shape[int(random.integers(1, len(shape))) :], 10.0 ** -int(random.integers(2, 7))
    affine = chance(random)
    declare = nn.RMSNorm if rms else nn.LayerNorm
    ours = declare(own, eps, affine, dtype="float64")
    kind = torch.nn.RMSNorm if rms else torch.nn.LayerNorm
    other = kind(own, eps, affine, dtype=DOUBLE)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    x, value = floats("x", shape, random)
    weights = {part: getattr(other, name) for name, part in own_parts(ours)}
    return Pair([ours(x)], {x: value}, weights, lambda given: [other(given)], transposed=False)


def own_parts(layer: nn.Module) -> Sequence[tuple[str, cr.Node]]:
    return [(name, part) for name, part in layer.parts() if isinstance(part, cr.Node)]


def embedding_pair(random: Random) -> Pair:
    rows, features, batch, time = (int(each) for each in random.integers(1, (9, 6, 5, 7)))
    ours = nn.Embedding(rows, features, dtype="float64")
    other = torch.nn.Embedding(rows, features, dtype=DOUBLE)
    tokens = cr.input("tokens", (batch, time), dtype="int64")
    drawn = random.integers(0, rows, (batch, time))
    tied = chance(random)

    def theirs(given: Any) -> Sequence[Any]:
        found = other(given)
        return [found, found.sin() @ other.weight.T] if tied else [found]

    found = ours(tokens)
    results = [found, ours.scores(cr.sin(found))] if tied else [found]
    return Pair(results, {tokens: drawn}, {ours.weight: other.weight}, theirs, transposed=False)


DRAWN: Mapping[str, tuple[int, Callable[[Random], Pair]]] = {
    **{kind: (24, partial(recurrent_pair, kind)) for kind in RECURRENT},
    "MultiHeadAttention": (44, attention_pair),
    "encoder": (28, block_pair),
    "decoder": (16, partial(block_pair, cross=True)),
    "LayerNorm": (20, partial(norm_pair, rms=False)),
    "RMSNorm": (20, partial(norm_pair, rms=True)),
    "Embedding": (12, embedding_pair),
}
SETTINGS = [(name, seed) for name, (times, _) in DRAWN.items() for seed in range(times)]


def test_there_are_enough_settings() -> None:
    assert len(SETTINGS) >= 200


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize(("name", "seed"), SETTINGS)
def test_outputs_and_gradients_are_theirs(name: str, seed: int, target: str) -> None:
    torch.manual_seed(seed)
    _, draw = DRAWN[name]
    random = np.random.default_rng(seed)
    check(draw(random), target, random)
