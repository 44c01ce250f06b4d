"""Pictures as DOT text; Graphviz itself, reading the text, is the oracle for what they show."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from chainc import ops
from chainc.autodiff import grad
from chainc.dot import to_dot
from chainc.errors import InputError, Location
from chainc.ir import REGISTRY, Graph, Node, Origin, apply, originating, scope, topological
from chainc.notation import literal
from chainc.ops.contract import Contract, FusedContract
from chainc.ops.formula import Formula, Region, scalar_input
from chainc.ops.state import Constant, Input, Label, State
from chainc.types import DType, TensorType, float32, int32, named
from chainrule.rendering import render_svg
from tests_graphs import Case, cases

HOSTILE = [
    '"><script>alert(1)</script>',
    "<b>bold</b>",
    "back\\slash \\N \\G \\l \\",
    '"]; evil [label="',
    "{a|b} &lt; &amp; & &#65;",
    "<<table><tr><td>x</td></tr></table>>",
    "// comment /* */ # -> --",
    "ελ → ∂ 学习",
]


def input(name: str, *shape: int | str, dtype: DType = float32) -> Node:
    dims = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(name, TensorType(dims, dtype)))


def hyperparameter(name: str, default: float) -> Node:
    return apply(Input(name, TensorType((), float32), default))


def state(name: str, *shape: int, trainable: bool = True) -> Node:
    return apply(State(Label(name), TensorType(shape, float32), None, trainable))


Attributes = Mapping[str, str]

_STATEMENT = re.compile(r"^(\w+)(?: -> (\w+))? \[(.*)\]$")
_ATTRIBUTE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Picture:
    """DOT text taken apart: vertices by their first line of label, edges between such."""

    dot: str

    def statements(self) -> list[tuple[str, str, Attributes]]:
        found = []
        for line in self.dot.splitlines():
            match = _STATEMENT.match(line.strip())
            if match:
                found.append((match[1], match[2] or "", dict(_ATTRIBUTE.findall(match[3]))))
        return found

    def vertices(self) -> dict[str, Attributes]:
        return {name: a for name, to, a in self.statements() if re.fullmatch(r"n\d+", name + to)}

    def labels(self) -> list[str]:
        return [attributes["label"] for attributes in self.vertices().values()]

    def __getitem__(self, label: str) -> Attributes:
        (found,) = [a for a in self.vertices().values() if a["label"].split("\\n")[0] == label]
        return found

    def edges(self) -> list[tuple[str, str, Attributes]]:
        """From the vertex without an arrowhead to the one that it points at."""
        label = {name: a["label"].split("\\n")[0] for name, a in self.vertices().items()}
        found = []
        for a, b, attributes in self.statements():
            if a in label and b in label and attributes.get("style") != "invis":
                source, target = (b, a) if attributes.get("dir") == "back" else (a, b)
                found.append((label[source], label[target], attributes))
        return found

    def into(self, label: str) -> list[tuple[str, str]]:
        """(source, edge label) of the edges into one vertex."""
        return [(s, a.get("label", "").strip()) for s, t, a in self.edges() if t == label]

    def boxes(self) -> list[str]:
        """Labels of the clusters that have one."""
        lines = self.dot.splitlines()
        opened = [
            _ATTRIBUTE.findall(lines[i + 1]) for i, line in enumerate(lines) if "subgraph" in line
        ]
        return [dict(attributes).get("label", "") for attributes in opened if dict(attributes)]


def picture(*outputs: Node, **options: object) -> Picture:
    return Picture(to_dot(Graph(outputs), **options))  # type: ignore[arg-type]
