"""Six small circuits, run forward and differentiated backward, beside the numbers found by hand.

In the pictures the value stands above each wire, the derivative of the output below it, and a gate
shows its local derivatives.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import chainrule as cr

Known = Mapping[str, tuple[cr.Node, float, float]]  # a node, its value, df/dnode, found by hand
Table = dict[str, tuple[float, float]]  # value and df/dnode, as computed


def work_out(name: str, f: cr.Node, known: Known, out: Path, data: dict[cr.Node, int]) -> Table:
    """Compute, print and draw a circuit; for the inputs in `data` no derivative is taken."""
    graph = cr.Graph([f], names=list(known)[-1:])
    inputs = set(graph.leaves("input"))
    at = {node: value for node, value, _ in known.values() if node in inputs}
    wrt = [node for node in graph.nodes if node not in data]
    run = cr.compile([*graph.nodes, *cr.grad(f, wrt)], passes=())  # gate by gate, as declared
    numbers = [float(number) for number in run({**at, **data})]
    values = dict(zip(graph.nodes, numbers, strict=False))
    derivatives = dict(zip(wrt, numbers[len(values) :], strict=True))
    asked = [node for node in at if node not in data]
    cr.draw(f, cr.grad(f, asked), values={**at, **data}).save(out / f"{name}.svg")
    print(f"\n{name}\n          value  by hand  derivative  by hand")
    for key, (node, v, d) in known.items():
        print(f"{key:>5} {values[node]:9.4f} {v:8.4f} {derivatives[node]:11.4f} {d:8.4f}")
    return {key: (values[node], derivatives[node]) for key, (node, _, _) in known.items()}


def g1(out: Path) -> Table:
    x, y, z = cr.input("x"), cr.input("y"), cr.input("z")
    q = x + y
    f = q * z
    known = {"x": (x, -2, -4), "y": (y, 5, -4), "z": (z, -4, 3), "q": (q, 3, -4), "f": (f, -12, 1)}
    return work_out("G1", f, known, out, {})


def g2_and_g3(out: Path) -> dict[str, Table]:
    """A sigmoid as a chain of gates and as one gate; a pass turns the chain into the gate."""
    w0, w1, w2, x0, x1 = (cr.input(name) for name in ("w0", "w1", "w2", "x0", "x1"))
    s = w0 * x0 + w1 * x1 + w2
    chain, gate = 1 / (cr.exp(-s) + 1), cr.sigmoid(s)
    stage = next(stage for stage in cr.compile(chain).stages if stage.name == "stabilize")
    weights = {"w0": (w0, 2, -0.1966), "w1": (w1, -3, -0.3932), "w2": (w2, -3, 0.1966)}
    data = {"x0": (x0, -1, 0.3932), "x1": (x1, -2, -0.5898)}
    tables = {}
    for name, f in (("G2", chain), ("G3", gate), ("G2-stabilized", stage.graph.outputs[0])):
        tables[name] = work_out(name, f, {**weights, **data, "f": (f, 0.7311, 1)}, out, {})
    print("the chain became one gate by", ", ".join(fired.rule for fired in stage.fired))
    return tables


def g4(out: Path) -> Table:
    """z1 fans out, so its derivative is the sum over two paths."""
    x1, x2, x3 = cr.input("x1"), cr.input("x2"), cr.input("x3")
    z1, z2 = x1**2, x2 * x3
    z3 = 2 * z1
    z4 = z2 - z3
    y = z1 * z4
    known = {"x1": (x1, 1, 4), "x2": (x2, 2, 3), "x3": (x3, 3, 2), "z1": (z1, 1, 2),
             "z2": (z2, 6, 1), "z3": (z3, 2, -1), "z4": (z4, 4, 1), "y": (y, 4, 1)}  # fmt: skip
    return work_out("G4", y, known, out, {})


def neuron(name: str, x: cr.Node, y: cr.Node, v: cr.Node, w: cr.Node) -> cr.Node:
    """A neuron without activation, so that whole numbers come out."""
    with cr.scope(name):
        return v * x + w * y


def g5(out: Path) -> Table:
    """Three neurons, of which b fans out, feed two and these one; only weights get derivatives."""
    i, u = ([cr.input(f"{name}{k}") for k in range(1, 7)] for name in ("I", "u"))
    v, w = [cr.input(f"v{k}") for k in range(1, 5)], [cr.input("w1"), cr.input("w2")]
    a = neuron("a", i[0], i[1], u[0], u[1])
    b = neuron("b", i[2], i[3], u[2], u[3])
    c = neuron("c", i[4], i[5], u[4], u[5])
    x, y = neuron("x", a, b, v[0], v[1]), neuron("y", b, c, v[2], v[3])
    f = neuron("f", x, y, w[0], w[1])
    cr.draw(f, *cr.grad(f, [*u, *v, *w])).save(out / "G5-gradient.svg")
    values = [1, -1, 1, -1, 1, -1, 2, 1, 3, -2, 1, 2]
    derivatives = [2, 4, 21, 28, -20, -24, -1, -1, -2, -2, -3, -1]
    rows = zip([*u, *v, *w], values, derivatives, strict=True)
    known = {**{row[0].op.label: row for row in rows}, "b": (b, -1, 7), "f": (f, -5, 1)}
    return work_out("G5", f, known, out, {node: k for k, node in enumerate(i, start=1)})


def several_paths(x: cr.Node) -> cr.Node:
    return cr.sin(x) * cr.exp(x) + x * x


def g6(out: Path) -> Table:
    """The general rule: dy/dx is a sum over all paths from x to y. As a formula, and numeric."""
    x = cr.input("x")
    y = several_paths(x)
    print("y =", cr.formula(y))
    print("dy/dx =", cr.formula(cr.grad(y, x)))
    numeric = cr.check_grad(y, x, {x: 1}, directions=1).worst.numeric
    print(f"dy/dx = {numeric:.4f} at x = 1 by finite differences")
    return work_out("G6", y, {"x": (x, 1, 5.7560), "y": (y, 3.2874, 1)}, out, {})


def main(out: Path) -> dict[str, Table]:
    """Work out all circuits; the pictures go to the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    return {"G1": g1(out), **g2_and_g3(out), "G4": g4(out), "G5": g5(out), "G6": g6(out)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("pictures/circuits"))
    main(parser.parse_args().out)
