"""What decides the meaning of a graph, in one short text: equal ones compile to the same code.

It is not read back, so it is shorter than the text of a graph: constants are digests. Lines of the
user's program do not matter; names of layers do, which buffers are called after.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op
from chainc.ir.leaves import ConstantArray, Label
from chainc.ir.origin import Scope
from chainc.ir.types import Array, DType, Size, TensorType

OURS = "chainc."  # where an op's meaning is known by its name, and the compiler's version

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
        constants: their arrays, by the digest of their bytes.
        known: what was written of what nodes share, by identity: ops, types, scopes, bodies.
        shown: the names of the fields that are written, by class.
    """

    lines: list[str] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    known: dict[int, tuple[object, str]] = field(default_factory=dict)
    shown: dict[type, Sequence[str]] = field(default_factory=dict)

    def add(self, graph: Graph) -> None:
        """Write down one more graph.

        Raises:
            UnknownMeaningError: it cannot be known by what is written in it.
        """
        number: dict[Node, int] = {}
        for index, node in enumerate(graph.nodes):
            number[node] = index
            operands = [number[operand] for operand in node.inputs]
            type, origin = self._once(node.type, str), node.origin
            scope = self._once(origin.scopes, _path)
            derived = origin.derivative is not None
            self.lines.append(f"{self._op(node.op)}{operands}{type}{derived}{scope}")
        outputs = [number[node] for node in graph.outputs]
        updates = [(number[slot], number[value]) for slot, value in graph.updates.items()]
        self.lines.append(f"return {outputs} {graph.names!r} {updates}")

    def text(self) -> str:
        """Of all of them."""
        return "\n".join(self.lines)

    def _op(self, op: Op) -> str:
        return self._once(op, self._written)

    def _once(self, value: V, write: Callable[[V], str]) -> str:
        """What is written of a value, which is held: so its identity stays its own."""
        found = self.known.get(id(value))
        if found is None:
            found = self.known[id(value)] = value, write(value)
        return found[1]

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
                return self._op(value)
            case Graph():
                return self._once(value, self._body)
        return self._written(value)

    def _body(self, graph: Graph) -> str:
        start = len(self.lines)
        self.add(graph)
        inner = self.lines[start:]
        del self.lines[start:]
        return f"{{{';'.join(inner)}}}"

    def _constant(self, array: Array) -> str:
        found = bytes_digest(array.data if array.ndim else array.tobytes())
        self.constants[found] = array
        return f"{array.dtype.str}{array.shape}{found}"


def _path(scopes: Sequence[Scope]) -> str:
    return repr("/".join(scope.name for scope in scopes))
