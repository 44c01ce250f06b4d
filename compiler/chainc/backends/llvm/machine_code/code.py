"""What there is to see of machine code: loops, C, LLVM text, assembly, memory, size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from chainc.backends.llvm.machine_code.jit import assembly, compile_object
from chainc.backends.llvm.processors.processor import Processor
from chainc.backends.target import Figures
from chainc.ir.python.collection import without_collection

if TYPE_CHECKING:
    from chainc.backends.c.file import CFile
    from chainc.backends.listing import Listing
    from chainc.backends.llvm.printing.module import KernelUse
    from chainc.backends.storage import Storage
    from chainc.loops.language import Nest, Routine


class PrintedModule(Protocol):
    """A module as it was printed."""

    @property
    def text(self) -> str:
        """LLVM text."""

    @property
    def c(self) -> CFile:
        """The same in C."""

    @property
    def nests(self) -> Sequence[Nest]:
        """Its kernels, in order of first use."""

    @property
    def routines(self) -> Sequence[Routine]:
        """What calls the kernels of a training; of a function nothing is shown."""

    @property
    def called(self) -> Mapping[Nest, str]:
        """What the function of each nest is called."""

    @property
    def uses(self) -> Mapping[str, Sequence[KernelUse]]:
        """What each function computes."""


class NativeCode:
    """One module of machine code for a processor.

    A text is made when it is first asked for, and what makes it is imported then.
    """

    codes: tuple[str, ...] = ("loops", "c", "llvm", "assembly")

    def __init__(
        self,
        module: Callable[[], PrintedModule],
        storage: Callable[[], Storage],
        processor: Processor,
    ) -> None:
        self._printed = module
        self._storage = storage
        self.processor = processor

    @cached_property
    def _module(self) -> PrintedModule:
        return self._printed()

    @property
    def source(self) -> str:
        """LLVM text."""
        return self._module.text

    @property
    def kernels(self) -> int:
        """How many there are."""
        return len(self._module.nests)

    @cached_property
    def storage(self) -> Storage:
        """Where the buffers lie."""
        return self._storage()

    @cached_property
    def figures(self) -> Figures:
        """What it takes, in this process."""
        return Figures(
            kernels=self.kernels,
            arena_bytes=self.storage.arena_bytes,
            code_bytes=len(compile_object(self.source, self.processor)),
            processor=self.processor.name,
            vector_bits=8 * self.processor.machine.vector_bytes,
        )

    @without_collection()
    def text(self, code: str) -> str:
        """One of `codes`; the loops are called as in the module."""
        if code == "loops":
            return self._loops
        if code == "c":
            return self._module.c.text()
        return self.source if code == "llvm" else self._assembly

    @without_collection()
    def listing(self, code: str) -> Listing:
        """One of `codes` line by line."""
        from chainc.backends.llvm.machine_code.listings import list_assembly, list_c, list_loops
        from chainc.backends.llvm.machine_code.locations import llvm_lines

        if code == "loops":
            module = self._module
            return list_loops(module.nests, module.uses, module.routines, module.called)
        if code == "c":
            return list_c(self._module.c, self._module.uses)
        if code == "llvm":
            return self._llvm_listing
        uses = self._module.uses
        sources = llvm_lines(self.source, self._assembly, uses, self.processor)
        return list_assembly(self._assembly, self._llvm_listing, sources, uses)

    @cached_property
    def _loops(self) -> str:
        from chainc.loops.routine_text import print_routine
        from chainc.loops.text import print_nest

        module = self._module
        routines = [print_routine(routine, module.called) for routine in module.routines]
        return "\n".join([*map(print_nest, module.nests), *routines])

    @cached_property
    def _assembly(self) -> str:
        return assembly(self.source, self.processor)

    @cached_property
    def _llvm_listing(self) -> Listing:
        from chainc.backends.llvm.machine_code.listings import list_llvm

        return list_llvm(self.source, self._module.uses)
