"""Six small circuits, declared gate by gate, run forward, and differentiated backward.

The report puts each number beside the one worked out by hand. The pictures show the value above
each gate and the derivative of the output below it.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import sympy

import chainrule as cr
from chainc.symbolic import formula

Numbers = Mapping[cr.Node, float]
ByHand = Mapping[str, tuple[cr.Node, float, float]]  # a node, its value, df/dnode
Table = Mapping[str, tuple[float, float]]  # value and df/dnode as computed


class Results(NamedTuple):
    tables: Mapping[str, Table]  # of G1 to G5, and of G2 as rewritten
    rules: Sequence[str]  # that rewrote the chain of gates of G2 into the one gate of G3
    fan_out: tuple[float, float]  # df/db of G5: by the graph, and summed over both paths
    largest_error: float  # of the derivatives of G5, relative, against finite differences
    formulas: tuple[str, str]  # y and dy/dx of G6
    derivatives: tuple[float, float, float]  # dy/dx of G6: by the graph, over paths, numeric


def evaluate(f: cr.Node, wrt: Sequence[cr.Node], at: Numbers) -> tuple[Numbers, Numbers]:
    """The value of every gate, and df/dnode for the nodes `wrt`."""
    nodes = cr.Graph([f]).nodes
    run = cr.compile([*nodes, *cr.grad(f, wrt)], passes=())  # gate by gate, as declared
    numbers = [float(number) for number in run.bind(run.initial_state())(at)]
    derivatives = numbers[len(nodes) :]
    return dict(zip(nodes, numbers, strict=False)), dict(zip(wrt, derivatives, strict=True))


def draw(f: cr.Node, values: Numbers, derivatives: Numbers, file: Path) -> None:
    above = {node: f"{value:.4g}" for node, value in values.items()}
    below = {node: f"{derivative:.4g}" for node, derivative in derivatives.items()}
    cr.draw(cr.Graph([f], names=["f"]), values=above, gradients=below).save(file)


def work_out(title: str, f: cr.Node, by_hand: ByHand, file: Path) -> Table:
    """Compute, print and draw a circuit at the input values in `by_hand`."""
    graph = cr.Graph([f])
    at = {node: value for node, value, _ in by_hand.values() if node in graph.leaves("input")}
    values, derivatives = evaluate(f, graph.nodes, at)
    draw(f, values, derivatives, file)
    print(f"\n{title}\n          value  by hand  derivative  by hand")
    for name, (node, v, d) in by_hand.items():
        print(f"{name:>5} {values[node]:9.4f} {v:8.4f} {derivatives[node]:11.4f} {d:8.4f}")
    return {name: (values[node], derivatives[node]) for name, (node, _, _) in by_hand.items()}


def g1(folder: Path) -> Table:
    x, y, z = cr.input("x"), cr.input("y"), cr.input("z")
    q = x + y
    f = q * z
    by_hand = {"x": (x, -2, -4), "y": (y, 5, -4), "z": (z, -4, 3), "q": (q, 3, -4), "f": (f, -12, 1)}
    return work_out("G1: f = (x + y) z", f, by_hand, folder / "G1.svg")


def g2_and_g3(folder: Path) -> tuple[Mapping[str, Table], Sequence[str]]:
    """The chain of gates, the sigmoid as one gate, and what the compiler makes of the chain."""
    w0, w1, w2, x0, x1 = (cr.input(name) for name in ("w0", "w1", "w2", "x0", "x1"))
    s = w0 * x0 + w1 * x1 + w2
    chain, gate = 1 / (cr.exp(-s) + 1), cr.sigmoid(s)
    stabilized = next(stage for stage in cr.compile(chain).stages if stage.name == "stabilize")
    forms = {"G2": chain, "G3": gate, "G2-stabilized": stabilized.graph.outputs[0]}
    by_hand = {"w0": (w0, 2, -0.1966), "w1": (w1, -3, -0.3932), "w2": (w2, -3, 0.1966),
               "x0": (x0, -1, 0.3932), "x1": (x1, -2, -0.5898)}  # fmt: skip
    tables = {
        name: work_out(f"{name}: f = sigmoid(w0 x0 + w1 x1 + w2)", f, {**by_hand, "f": (f, 0.7311, 1)}, folder / f"{name}.svg")
        for name, f in forms.items()
    }
    return tables, [fired.rule for fired in stabilized.fired]


def g4(folder: Path) -> Table:
    x1, x2, x3 = cr.input("x1"), cr.input("x2"), cr.input("x3")
    z1, z2 = cr.square(x1), x2 * x3
    z3 = 2 * z1
    z4 = z2 - z3
    y = z1 * z4
    by_hand = {"x1": (x1, 1, 4), "x2": (x2, 2, 3), "x3": (x3, 3, 2), "z1": (z1, 1, 2),
               "z2": (z2, 6, 1), "z3": (z3, 2, -1), "z4": (z4, 4, 1), "y": (y, 4, 1)}  # fmt: skip
    return work_out("G4: y = x1² (x2 x3 - 2 x1²), where z1 = x1² fans out", y, by_hand, folder / "G4.svg")


def neuron(name, ...)
