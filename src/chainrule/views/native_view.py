"""What there is to see of machine code: loops, LLVM text, assembly, memory, size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from chainrule.views.plan import Plan, plan_of_function, plan_of_training

if TYPE_CHECKING:
    from chainc.backends.listing import Listing
    from chainc.backends.llvm.host.function import FunctionCode
    from chainc.backends.llvm.program import KernelUse
    from chainc.backends.llvm.training.code import TrainingCode
    from chainc.loops.language import Nest

CODES = ("loops", "llvm", "assembly")


@dataclass(frozen=True)
class NativeView:
    """One module of machine code for this processor."""

    llvm: str
    nests: tuple[Nest, ...]
    plan: Plan
    uses: Mapping[str, Sequence[KernelUse]]  # what each function computes

    @cached_property
    def loops(self) -> str:
        """Every kernel in the loop language, called as in the module, in order of first use."""
        from chainc.loops.text import print_nest

        return "\n".join(map(print_nest, self.nests))

    @cached_property
    def assembly(self) -> str:
        from chainc.backends.llvm.machine_code.jit import assembly
        from chainc.backends.llvm.processor import host

        return assembly(self.llvm, host())

    @cached_property
    def code_bytes(self) -> int:
        """Of the object file."""
        from chainc.backends.llvm.machine_code.jit import compile_object
        from chainc.backends.llvm.processor import host

        return len(compile_object(self.llvm, host()))

    def listing(self, code: str) -> Listing:
        """One of `CODES` line by line."""
        from chainc.backends.llvm.machine_code.listings import list_assembly, list_loops
        from chainc.backends.llvm.machine_code.locations import llvm_lines
        from chainc.backends.llvm.processor import host

        if code == "loops":
            return list_loops(self.nests, self.uses)
        if code == "llvm":
            return self._llvm_listing
        sources = llvm_lines(self.llvm, self.assembly, self.uses, host())
        return list_assembly(self.assembly, self._llvm_listing, sources, self.uses)

    @cached_property
    def _llvm_listing(self) -> Listing:
        from chainc.backends.llvm.machine_code.listings import list_llvm

        return list_llvm(self.llvm, self.uses)

    @property
    def processor(self) -> str:
        from chainc.backends.llvm.processor import host

        return host().name

    @property
    def vector_bits(self) -> int:
        from chainc.backends.llvm.processor import host

        return 8 * host().machine.vector_bytes


def view_of_function(code: FunctionCode) -> NativeView:
    return NativeView(code.text, code.nests, plan_of_function(code), code.uses)


def view_of_training(code: TrainingCode) -> NativeView:
    plan = plan_of_training(code)
    return NativeView(code.text, code.module.nests, plan, code.uses)
