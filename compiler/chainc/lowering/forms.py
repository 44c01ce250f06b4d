"""What decides the loops of a kernel: all of it but which buffers it is given, and their names.

Kernels of one form are one function, called with other buffers: a deep network has few.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import field
from functools import cache

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.types import TensorType
from chainc.lowering.instructions import Instruction, Reference
from chainc.lowering.kernels import Kernel
from chainc.lowering.views import Buffer, Literal, View

UNSEEN = ("origin", "node")  # fields of a kernel on which its loops do not depend


@dataclass(frozen=True)
class Form:
    """Kernels with the same text have the same loops over their buffers.

    Attributes:
        text: the kernel, its buffers numbered in order of first use.
        buffers: by these numbers.
    """

    text: str
    buffers: tuple[Buffer, ...]


def form_of(kernel: Kernel) -> Form:
    """Of a kernel, and the buffers that it speaks of."""
    speller = _Speller()
    text = speller.of(kernel)
    return Form(text, tuple(speller.buffers))


@dataclass
class _Speller:
    """Spells values; buffers, and the ops that instructions are for, are numbers."""

    buffers: dict[Buffer, int] = field(default_factory=dict)
    nodes: dict[Node | None, int] = field(default_factory=dict)

    def of(self, value: object) -> str:
        if isinstance(value, tuple):
            return f"({self._all(value)})"
        if isinstance(value, View):
            return f"{self._buffer(value.buffer)}{value.movements}{value.type}{value.inside}"
        if isinstance(value, Buffer):
            return self._buffer(value)
        if isinstance(value, Reference):
            return f"{type(value).__name__}{value.index}:{value.type}"
        if isinstance(value, Instruction):
            return self._instruction(value)
        if isinstance(value, Literal):
            return f"{value.value!r}:{value.type}"
        if isinstance(value, TensorType):
            return str(value)
        kind: type = type(value)
        names = _fields(kind)
        if names is None:
            return repr(value)
        return f"{type(value).__name__}({self._all(getattr(value, name) for name in names)})"

    def _all(self, values: Iterable[object]) -> str:
        return ",".join([self.of(value) for value in values])

    def _buffer(self, buffer: Buffer) -> str:
        known = self.buffers.get(buffer)
        if known is not None:
            return f"b{known}"
        number = self.buffers[buffer] = len(self.buffers)
        given = "given " if buffer.role in ("input", "output") else ""
        return f"b{number}:{given}{buffer.type}{buffer.panels}"

    def _instruction(self, each: Instruction) -> str:
        """The numbers of its part, which lines of code name, count as well."""
        part = self.nodes.setdefault(each.node, len(self.nodes))
        return f"{each.primitive}({self._all(each.operands)}){each.type}/{part}"


@cache
def _fields(kind: type) -> tuple[str, ...] | None:
    """The fields of a dataclass that matter."""
    if not dataclasses.is_dataclass(kind):
        return None
    names = tuple(each.name for each in dataclasses.fields(kind))
    return tuple(n for n in names if n not in UNSEEN) if issubclass(kind, Kernel) else names
