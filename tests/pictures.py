"""Small graphs to draw, and pictures taken apart: as DOT text, and as Graphviz draws it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

from chainc import ops
from chainc.ir import Node, apply, scope
from chainc.ir.leaves import Input, Label, Slot
from chainc.ir.types import DType, TensorType, float32, named
from chainrule.drawing.rendering import render_svg

SVG = "{http://www.w3.org/2000/svg}"


def declare(name: str, *shape: int | str, dtype: DType = float32) -> Node:
    dims = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(name, TensorType(dims, dtype)))


def hyperparameter(name: str, default: float) -> Node:
    return apply(Input(name, TensorType((), float32), default))


def state(name: str, *shape: int, trainable: bool = True) -> Node:
    return apply(Slot(Label(name), TensorType(shape, float32), None, trainable))


Attributes = Mapping[str, str]

_STATEMENT = re.compile(r"^\t*(\w+)(?: -> (\w+))? \[(.*)\]")
_ATTRIBUTE = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([\w.]+))')


def _attributes(text: str) -> Attributes:
    return {name: quoted or bare for name, quoted, bare in _ATTRIBUTE.findall(text)}


@dataclass(frozen=True)
class Picture:
    """DOT text taken apart, in the form in which it is written: a statement a line."""

    dot: str

    def statements(self) -> list[tuple[str, str, Attributes]]:
        matches = [_STATEMENT.match(line) for line in self.dot.splitlines()]
        return [(m[1], m[2] or "", _attributes(m[3])) for m in matches if m]

    def vertices(self) -> dict[str, Attributes]:
        return {a: found for a, b, found in self.statements() if re.fullmatch(r"n\d+", a + b)}

    def labels(self) -> list[str]:
        return [attributes["label"] for attributes in self.vertices().values()]

    def __getitem__(self, label: str) -> Attributes:
        """The one vertex whose label begins with this line."""
        (found,) = [a for a in self.vertices().values() if a["label"].split("\\n")[0] == label]
        return found

    def edges(self) -> list[tuple[str, str, Attributes]]:
        """The first lines of both labels; the second is where the arrow points."""
        label = {name: a["label"].split("\\n")[0] for name, a in self.vertices().items()}
        ends = [(a, b, found) for a, b, found in self.statements() if a in label and b in label]
        back = [(b, a, found) for a, b, found in ends if found.get("dir") == "back"]
        ahead = [(a, b, found) for a, b, found in ends if found.get("dir") != "back"]
        return [(label[a], label[b], found) for a, b, found in (*ahead, *back)]

    def into(self, label: str) -> set[tuple[str, str]]:
        """(where from, what is written on it) of the edges into a vertex."""
        return {(a, found.get("label", "").strip()) for a, b, found in self.edges() if b == label}

    def boxes(self) -> list[str]:
        """Labels of the clusters of layers, in order."""
        lines = self.dot.splitlines()
        opened = [
            after for line, after in pairwise(lines) if re.match(r"\t*subgraph cluster_\d", line)
        ]
        return [_attributes(line)["label"] for line in opened]


def texts(dot: str) -> list[str]:
    """All text that Graphviz puts into the picture."""
    root = ElementTree.fromstring(render_svg(dot))
    return ["".join(e.itertext()).replace("\xa0", " ").strip() for e in root.iter(f"{SVG}text")]


def count(dot: str, kind: str) -> int:
    """How many nodes, edges or clusters Graphviz finds."""
    root = ElementTree.fromstring(render_svg(dot))
    return sum(element.get("class") == kind for element in root.iter(f"{SVG}g"))


def layer(name: str, x: Node, rows: int, columns: int) -> Node:
    weight, bias = state(f"{name}/weight", rows, columns), state(f"{name}/bias", columns)
    with scope(name):
        return x @ weight + bias


def perceptron() -> tuple[Node, Node]:
    """x, and the mean square of a network of two layers of it."""
    x = declare("x", "batch", 64)
    hidden = ops.relu(layer("first", x, 64, 32))
    return x, ops.mean(ops.square(layer("second", hidden, 32, 10)))


def looks(attributes: Attributes) -> tuple[str, str, str]:
    return attributes["shape"], attributes["style"], attributes["fillcolor"]
