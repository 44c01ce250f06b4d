"""What the stepper's page shows: a backpropagation as lists of texts, which its script reads."""

from __future__ import annotations

import linecache
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property

import numpy as np

from chainc.dataclass import dataclass
from chainc.drawing.node_roles import NodeRoles, Path, is_seed
from chainc.formulas import notation
from chainc.ir import Graph, Node
from chainc.ir.leaves import Input, Slot
from chainc.ir.types import Array, format_shape
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import Formula
from chainrule.evaluation.backpropagation import Backpropagation, Contribution
from chainrule.teaching.stepper.sliding import sliding
from chainrule.writing.array_text import array_lines, histogram, number_text

LONGEST = 24  # characters of a value that stands in the picture as it is
LONGEST_CODE = 160  # characters of the user's line

ArrayKey = tuple[str, tuple[int, ...], bytes]
Entry = dict[str, object]  # one object of the page's JSON


def page_data(found: Backpropagation) -> Entry:
    """The page's data: nodes in forward order, the order of the backward pass, layers, texts."""
    return _Builder(found).data()


@dataclass(frozen=True)
class _Builder:
    """Texts are numbered: many gradients are equal to the one contribution that they are."""

    found: Backpropagation
    texts: dict[tuple[str, ...], int] = field(default_factory=dict)
    arrays: dict[ArrayKey, tuple[int, str]] = field(default_factory=dict)
    layers: dict[Path, int] = field(default_factory=dict)

    def data(self) -> Entry:
        nodes = [self._node(node) for node in self.numbers]
        return {
            "nodes": nodes,
            "backward": [self.numbers[node] for node in self.found.gradients],
            "layers": [
                {"name": path[-1].label, "parent": self.layers.get(path[:-1], -1)}
                for path in self.layers
            ],
            "texts": list(self.texts),
        }

    @cached_property
    def roles(self) -> NodeRoles:
        return NodeRoles(Graph((self.found.loss,)))

    @cached_property
    def numbers(self) -> Mapping[Node, int]:
        """The nodes that are steps: all but the constants written into what reads them."""
        loss = self.found.loss
        shown = [node for node in self.found.nodes if node is loss or not _is_literal(node)]
        return {node: number for number, node in enumerate(shown)}

    @cached_property
    def step_back(self) -> Mapping[Node, int]:
        return {node: step for step, node in enumerate(self.found.gradients)}

    def _node(self, node: Node) -> Entry:
        entry: Entry = {
            "label": self._label(node),
            "op": node.op.name,
            "kind": self.roles.kind(node).value,
            "layer": self._layer(self.roles.paths[node]),
            "formula": self._formula(node),
            "numbers": self._numbers(node),
            "shape": _shape(self.found.values[node]),
            **self._written(self.found.values[node], "value", "short"),
            "operands": [self._operand(node, position) for position in range(len(node.inputs))],
            **_line(node),
        }
        slides = sliding(node, self.found.values)
        if slides is not None:
            entry["slides"] = slides
        if node in self.found.gradients:
            entry |= self._written(self.found.gradients[node], "gradient", "gradientShort")
            entry["parts"] = self._contributions(node)
        return entry

    def _written(self, value: Array, in_full: str, short: str) -> Entry:
        """The array's text and its short form, under these names; equal arrays are read once."""
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self.arrays:
            number = self.texts.setdefault(array_lines(value), len(self.texts))
            self.arrays[key] = (number, _short(value))
        return dict(zip((in_full, short), self.arrays[key], strict=True))

    def _layer(self, path: Path) -> int:
        """The number of the layer around a node, numbered after the layers around it; or −1."""
        for length in range(1, len(path) + 1):
            self.layers.setdefault(path[:length], len(self.layers))
        return self.layers.get(path, -1)

    def _label(self, node: Node) -> str:
        if isinstance(node.op, Slot):
            names = "".join(f"{box.scope.name}/" for box in self.roles.paths[node])
            return node.op.label.removeprefix(names)
        if isinstance(node.op, Input):
            return node.op.label
        return notation.literal(node) or notation.lines(node, _constants(node))[0]

    def _formula(self, node: Node) -> str:
        """The op over its operands as they are called in the table: `a × b`, `tanh(x)`."""
        if not node.inputs:
            return ""
        constants = _constants(node)
        if not _is_one_step(node):
            return "\n".join(notation.lines(node, constants))
        names = [constants.get(i) or _role(node, i) for i in range(len(node.inputs))]
        return notation.caption(node.op, names)

    def _numbers(self, node: Node) -> str:
        """The formula with the operands' numbers put in, where all are scalars."""
        if not _is_one_step(node):
            return ""
        if any(x.ndim for x in (node, *node.inputs)):
            return ""
        texts = [number_text(self.found.values[operand].item()) for operand in node.inputs]
        if node.op.symbol and not node.op.symbol.isalpha():
            texts = [f"({text})" if text.startswith("−") else text for text in texts]
        return notation.caption(node.op, texts)

    def _operand(self, node: Node, position: int) -> Entry:
        operand = node.inputs[position]
        entry: Entry = {"role": _role(node, position)}
        if operand not in self.numbers:
            return entry
        entry["node"] = self.numbers[operand]
        contributions = self.found.contributions.get(operand, ())
        added = next(
            (p for p in contributions if p.reader is node and p.position == position), None
        )
        if added is not None:
            entry |= self._local(node, position, added)
        return entry

    def _local(self, node: Node, position: int, added: Contribution) -> Entry:
        """The local derivative as a formula and, between scalars, as a number."""
        from chainc.formulas.local_derivative import local_derivative

        entry: Entry = {"local": local_derivative(node, position).text}
        upstream = self.found.gradients[node]
        if node.ndim == 0 and added.value.ndim == 0 and upstream.item() != 0:
            entry["localNumber"] = number_text(added.value.item() / upstream.item())
        return entry

    def _contributions(self, node: Node) -> list[Entry]:
        """What each reader adds, in the order of the backward pass, with the sum so far."""
        contributions = sorted(self.found.contributions[node], key=self._when)
        total = np.zeros(self.found.gradients[node].shape)
        entries: list[Entry] = []
        for added in contributions:
            total = total + added.value
            entries.append(
                {
                    "reader": -1 if added.reader is None else self.numbers[added.reader],
                    "operand": added.position,
                    **self._written(added.value, "value", "short"),
                    **self._written(total, "sum", "sumShort"),
                }
            )
        return entries

    def _when(self, added: Contribution) -> tuple[int, int]:
        return (
            -1 if added.reader is None else self.step_back[added.reader],
            added.position,
        )


def _is_literal(node: Node) -> bool:
    return notation.literal(node) is not None and not is_seed(node)


def _constants(node: Node) -> dict[int, str]:
    """Texts of the operands that have no step of their own."""
    texts = {i: notation.literal(x) for i, x in enumerate(node.inputs) if _is_literal(x)}
    return {position: text for position, text in texts.items() if text is not None}


def _role(node: Node, position: int) -> str:
    """As `local_derivative` calls the operand."""
    flowing = len(node.inputs) - len(_constants(node))
    return "x" if flowing == 1 else notation.role(node.op, position)


def _is_one_step(node: Node) -> bool:
    """Is it one function of its operands' elements, and not made of several?"""
    op = node.op
    return isinstance(op, Elementwise) and op.fused_body is None and not isinstance(op, Formula)


def _shape(value: Array) -> str:
    return format_shape(value.shape) if value.ndim else "scalar"


def _short(value: Array) -> str:
    """One short line for the picture: the number or vector, or the shape and a histogram."""
    lines = array_lines(value, digits=4 if value.ndim == 0 else 3)
    if len(lines) == 1 and (value.ndim == 0 or len(lines[0]) <= LONGEST):
        return lines[0]
    shape = format_shape(value.shape)
    finite = value.size and bool(np.isfinite(value.astype(np.float64)).all())
    return f"{shape} {histogram(value)}" if finite else f"{shape} {lines[-1]}"


def _line(node: Node) -> Entry:
    """The user's line that declared the node: where it is, and what it says."""
    location = node.origin.location
    if location is None:
        return {}
    code = linecache.getline(location.file, location.line).strip()
    return {"line": location.short, "code": _cut(code)}


def _cut(code: str) -> str:
    return code if len(code) <= LONGEST_CODE else f"{code[: LONGEST_CODE - 1]}…"
