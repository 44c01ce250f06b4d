"""Without activations between them, three linear layers can say no more than one.

Shown as a rewrite of the graph, which makes x W' + b' of three layers, and checked in numbers:
W' and b' computed by the new graph against NumPy, and the outputs of both graphs on the same data.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainc.passes import Pass
from chainc.passes.canonicalize import canonicalize
from chainc.passes.contractions.merge_linear import merge_linear
from chainrule import nn

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Results:
    """W' and b' by the graph and by NumPy; outputs of three layers and of one; rules fired."""

    weights: tuple[Array, Array]
    biases: tuple[Array, Array]
    outputs: tuple[Array, Array]
    rules: tuple[str, ...]


def merged_in_numpy(model: nn.Sequential, state: cr.State) -> tuple[Array, Array]:
    """W' = W1 W2 W3 and b' = (b1 W2 + b2) W3 + b3."""
    w1, b1, w2, b2, w3, b3 = (state[p].astype(np.float64) for p in model.parameters())
    return w1 @ w2 @ w3, (b1 @ w2 + b2) @ w3 + b3


def main(folder: Path) -> Results:
    """Merge and compare; the pictures from before and after go to `folder`."""
    x = cr.input("x", ("batch", 4))
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 6), nn.Linear(6, 3))
    declared = cr.compile(model(x), passes=())
    frozen = model.parameters()  # no longer trained, so their products can be computed once
    merging = Pass("merge_linear", merge_linear(frozen))
    merged = cr.compile(model(x), passes=(Pass("canonicalize", canonicalize), merging))

    # the biases start at 0, so all parameters are moved a little
    start = declared.initial_state(seed=0)
    state = cr.State({name: np.add(value, 0.1) for name, value in start.items()})
    data = np.random.default_rng(0).standard_normal((100, 4), np.float32)
    outputs = declared.bind(state)(x=data), merged.bind(state)(x=data)

    product, bias = merged.graph.outputs[0].inputs  # of x W' + b'
    weight = product.inputs[1]
    weight_value, bias_value = cr.compile([weight, bias]).bind(state)()
    numpy_weight, numpy_bias = merged_in_numpy(model, state)

    rules = tuple(fired.rule for fired in merged.trace if fired.stage == "merge_linear")
    print(f"rules fired: {', '.join(rules)}\n\nthe merged graph:\n{merged.graph.text()}")
    print(f"W' = \n{weight_value}\nb' = {bias_value}")
    print("W' as in NumPy: ", np.allclose(weight_value, numpy_weight, rtol=1e-5))
    print("b' as in NumPy: ", np.allclose(bias_value, numpy_bias, rtol=1e-5))
    print("outputs agree:  ", np.allclose(*outputs, rtol=1e-5, atol=1e-6))

    folder.mkdir(parents=True, exist_ok=True)
    declared.draw().save(folder / "three-layers.svg")
    merged.draw().save(folder / "one-layer.svg")
    return Results((weight_value, numpy_weight), (bias_value, numpy_bias), outputs, rules)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/try_linear"))
    main(parser.parse_args().out)
