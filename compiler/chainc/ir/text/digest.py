"""What decides the meaning of a graph, in few bytes: equal ones compile to the same code.

It is not read back, so it is shorter than the text of a graph: constants are digests. Lines of the
user's program do not matter; names of layers do, which buffers are called after.
"""

from __future__ import annotations

import dataclasses
import hashlib
import marshal
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op
from chainc.ir.leaves import ConstantArray, Label
from chainc.ir.origin import Scope
from chainc.ir.types import Array, DType, Size, TensorType

OURS = "chainc."  # where an op's meaning is known by its name, and the compiler's version

WITHOUT_REFERENCES = 2  # a version of marshal in which equal values have the same bytes

V = TypeVar("V")


class UnknownMeaningError(Exception):
    """An op of another package, or a Python function: its name does not say what it does."""


def bytes_digest(content: bytes | memoryview) -> str:
    """By which equal constants are found."""
    return hashlib.sha256(content).hexdigest()


@dataclass
class Digest:
    """Graphs that are written down one after the other.

    Attributes:
        lines: one a node, and one for what each graph gives, of numbers and names.
        texts: what was written of what nodes share, such as ops, types and scopes, by number.
        constants: their arrays, by the digest of their bytes.
        known: the numbers of these texts by the identity of what they are for, which is held.
        shown: the names of the fields that are written, by class.
    """

    lines: list[tuple[object, ...]] = field(default_factory=list)
    texts: dict[str, int] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    known: dict[int, tuple[int, object]] = field(default_factory=dict)
    shown: dict[type, Sequence[str]] = field(default_factory=dict)

    def add(self, graph: Graph) -> None:
        """Write down one more graph.

        Raises:
            UnknownMeaningError: it cannot be known by what is written in it.
        """
        number: dict[Node, int] = {}
        for index, node in enumerate(graph.nodes):
            number[node] = index
            origin, scopes = node.origin, node.origin.scopes
            self.lines.append((
                self._number(node.op, self._written),
                self._number(node.type, str),
                self._number(scopes, _path),
                origin.derivative is None,
                *[number[operand] for operand in node.inputs],
            ))  # fmt: skip
        outputs = [number[node] for node in graph.outputs]
        updates = [(number[slot], number[value]) for slot, value in graph.updates.items()]
        self.lines.append(("return", *outputs, *graph.names, *updates))

    def content(self) -> bytes:
        """Of all of them."""
        return marshal.dumps((list(self.texts), self.lines), WITHOUT_REFERENCES)

    def _number(self, value: V, write: Callable[[V], str]) -> int:
        """Of what is written of a value, which is held: so its identity stays its own."""
        found = self.known.get(id(value))
        if found is None:
            text = write(value)
            found = self.known[id(value)] = self.texts.setdefault(text, len(self.texts)), value
        return found[0]

    def _written(self, value: object) -> str:
        """An op, or what one holds: a dataclass of ours, by its fields."""
        kind = type(value)
        if not kind.__module__.startswith(OURS) or not dataclasses.is_dataclass(kind):
            raise UnknownMeaningError(kind.__name__)
        if kind not in self.shown:
            self.shown[kind] = [each.name for each in dataclasses.fields(kind) if each.repr]
        values = ",".join(self._value(getattr(value, name)) for name in self.shown[kind])
        return f"{kind.__name__}({values})"

    def _value(self, value: object) -> str:
        match value:
            case None | bool() | int() | float() | str():
                return repr(value)
            case Size() | TensorType() | DType():
                return str(value)
            case Label():
                return repr(str(value))
            case ConstantArray():
                return self._constant(value.array)
            case tuple():
                return f"({','.join(map(self._value, value))})"
            case Op():
                return self._written(value)
            case Graph():
                return f"{{{self._number(value, self._body)}}}"
        return self._written(value)

    def _body(self, graph: Graph) -> str:
        start = len(self.lines)
        self.add(graph)
        inner = self.lines[start:]
        del self.lines[start:]
        return repr(inner)

    def _constant(self, array: Array) -> str:
        found = bytes_digest(array.data if array.ndim else array.tobytes())
        self.constants[found] = array
        return f"{array.dtype.str}{array.shape}{found}"


def _path(scopes: Sequence[Scope]) -> str:
    return repr("/".join(scope.name for scope in scopes))
