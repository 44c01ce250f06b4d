"""Several functions in one memory: what one leaves another reads where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.backends.llvm.processors.wasm32 import WASM32
from chainc.backends.llvm.wasm.linker import STACK_BYTES, Module, linked_module
from chainc.backends.standalone.function_library import (
    ENTRIES,
    FunctionInterface,
    WantedFunction,
    standalone_function,
)
from chainc.backends.standalone.web.describing import argument
from chainc.dataclass import dataclass


@dataclass(frozen=True)
class Placed:
    """A function as a module whose place in the memory is no other's."""

    interface: FunctionInterface
    module: Module

    def described(self) -> Mapping[str, object]:
        """What a script must know to call it, but for the module itself."""
        interface = self.interface
        return {
            "name": interface.name,
            "arena": self.module.base,
            "end": self.module.end,
            "mostRows": interface.most_rows,
            "countsRows": interface.counts_rows,
            "inputs": list(map(argument, interface.inputs)),
            "outputs": list(map(argument, interface.outputs)),
        }


def placed_functions(wanted: Sequence[WantedFunction]) -> Sequence[Placed]:
    """Their modules, for every browser; each begins where the one before it ends.

    Raises:
        GraphError: a function cannot be native code.
        LinkingError: LLVM's object file is not as it should be.
    """
    found: list[Placed] = []
    for each in wanted:
        made = standalone_function(each, WASM32)
        exports = {f"{each.name}_{entry}": entry for entry in ENTRIES}
        start = found[-1].module.end if found else STACK_BYTES
        module = linked_module(made.object_file, exports, made.interface.arena_bytes, start)
        found.append(Placed(made.interface, module))
    return found
