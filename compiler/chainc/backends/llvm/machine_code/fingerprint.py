"""A short name for lowered programs and where they lie: what decides their machine code.

It is computed in a few milliseconds, so that kept machine code is found without printing text.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

from chainc.backends import compiled_cache
from chainc.backends.llvm.machine_code.jit import identity
from chainc.backends.llvm.processors.processor import Processor
from chainc.ir import Node, Origin
from chainc.lowering.forms import form_of
from chainc.lowering.kernels import Kernel
from chainc.lowering.views import Buffer
from chainc.schedules.program.memory import Memory


def fingerprint(processor: Processor, memory: Memory, *parts: object) -> str:
    """Of anything made of the loop forms' dataclasses; origins and nodes do not matter."""
    writer = _Writer(memory)
    text = "\n".join((compiled_cache.compiler(), *identity(processor), *map(writer.of, parts)))
    return hashlib.sha256(text.encode()).hexdigest()


class _Writer:
    """Spells values; a buffer and the form of a kernel once, and then by its number."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.numbers: dict[Buffer, int] = {}
        self.forms: dict[str, int] = {}

    def of(self, value: object) -> str:
        if isinstance(value, Buffer):
            return self._buffer(value)
        if isinstance(value, Kernel):
            return self._kernel(value)
        if isinstance(value, Origin | Node):
            return ""
        if isinstance(value, tuple | list):
            return f"({','.join(map(self.of, value))})"
        if isinstance(value, Mapping):
            return self.of(tuple(value.items()))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = (getattr(value, field.name) for field in dataclasses.fields(value))
            return f"{type(value).__name__}({','.join(map(self.of, fields))})"
        return repr(value)

    def _kernel(self, kernel: Kernel) -> str:
        form = form_of(kernel)
        known = self.forms.get(form.text)
        if known is None:
            self.forms[form.text] = len(self.forms)
        text = form.text if known is None else f"f{known}"
        return f"{text}({','.join(map(self._buffer, form.buffers))})"

    def _buffer(self, buffer: Buffer) -> str:
        known = self.numbers.get(buffer)
        if known is not None:
            return f"b{known}"
        number = self.numbers[buffer] = len(self.numbers)
        place = self.memory.extent(buffer)
        in_code = buffer.data and buffer not in self.memory.outside
        data = hashlib.sha256(buffer.data).hexdigest() if in_code else ""
        return f"b{number}:{buffer.type}{self.of(buffer.panels)}{buffer.role}{place}{data}"
