"""A module of functions: each printed once, however often it is called, with what it needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainc.backends.llvm.math import functions as vector_math
from chainc.backends.llvm.math import random_lanes
from chainc.backends.llvm.printing.nest import Function, inlined_calls, print_function
from chainc.backends.llvm.printing.routine import RoutinePrinter
from chainc.backends.llvm.printing.spelling import array
from chainc.ir.types import DType
from chainc.loops.language import Data, Nest, Routine
from chainc.lowering.parts import Part
from chainc.schedules.layout.machine import Machine

# names of functions that are not kernels; all others have a dot, which no kernel's own name has
RESERVED = (
    "barrier", "bind", "evaluate", "record", "run", "step", "store", "ticks", "train", "validate",
)  # fmt: skip

PADDING = 64  # bytes behind constants, so that a vector may stand out
MOST_COPIES = 256  # of elementary and runtime functions in kernels; further kernels call them


@dataclass(frozen=True)
class KernelFunction:
    """A function that is in the module."""

    name: str
    shared: bool  # all threads call it, each for its part; else one thread alone
    fails: bool  # it takes a place to note a failure, and a code
    nest: Nest
    inlines: bool  # elementary functions, not calling them


@dataclass(frozen=True)
class KernelUse:
    """What a function computes where it is called: equal kernels share one.

    Attributes:
        function: that is called.
        nest: whose registers name their parts; its text is the function's.
        parts: all that is computed.
    """

    function: KernelFunction
    nest: Nest
    parts: tuple[Part, ...]


@dataclass
class Module:
    """LLVM text in the making.

    What is called of the routines in `elsewhere` is declared: it is in another module.
    """

    machine: Machine
    most_copies: int = MOST_COPIES
    kernels: dict[tuple[str, str], KernelFunction] = field(default_factory=dict)
    functions: dict[Nest, KernelFunction] = field(default_factory=dict)
    routines: list[Routine] = field(default_factory=list)
    constants: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)
    elementary: set[tuple[str, DType, int]] = field(default_factory=set)
    runtime: set[tuple[str, int]] = field(default_factory=set)
    names: set[str] = field(default_factory=lambda: set(RESERVED))
    copies: int = 0  # of these functions
    elsewhere: Collection[Routine] = ()

    def kernel(self, nest: Nest) -> KernelFunction:
        """The function of a nest; nests that differ in nothing but names share one."""
        if nest not in self.functions:
            self.functions[nest] = self._function_of(nest)
        return self.functions[nest]

    def _function_of(self, nest: Nest) -> KernelFunction:
        copies = inlined_calls(nest)
        inlines = self.copies + copies <= self.most_copies
        printed = print_function(nest, inlines=inlines)
        key = (printed.arguments, printed.body)
        if key not in self.kernels:
            self.copies += copies
            self.kernels[key] = self._added(nest, printed, inlines=inlines)
        return self.kernels[key]

    def _added(self, nest: Nest, printed: Function, *, inlines: bool) -> KernelFunction:
        name = self.unique(nest.name)
        self.texts.append(printed.text(name, _inert(nest.note)))
        self.declared |= printed.declared
        self.elementary |= printed.called
        self.runtime |= printed.runtime
        return KernelFunction(name, nest.shared, printed.fails, replace(nest, name=name), inlines)

    def routine(self, routine: Routine, *, exported: bool = False) -> str:
        """The name of a routine's function; what it calls comes before it."""
        printer = RoutinePrinter(routine, self._called, self._constant)
        if routine in self.elsewhere:
            self.declared.add(printer.declaration())
        elif routine not in self.routines:
            self.routines.append(routine)
            text = printer.function(exported=exported)
            self.texts.append(f"; {_inert(routine.note)}\n{text}")
            self.declared |= printer.to.declared
        return routine.name

    def _called(self, function: Nest | Routine) -> str:
        if isinstance(function, Routine):
            return self.routine(function)
        return self.kernel(function).name

    def _constant(self, data: Data) -> str:
        """A global, which is as long as a vector may read."""
        name = f"@{data.name}"
        if name not in self.constants:
            self.constants.add(name)
            content = data.content + bytes(PADDING)
            self.add(f"{name} = private unnamed_addr constant {array(content)}, align 64\n")
        return name

    def unique(self, wanted: str) -> str:
        base = re.sub(r"\W+", "_", wanted, flags=re.ASCII) or "kernel"
        name, count = base, 1
        while name in self.names:
            count += 1
            name = f"{base}.{count}"
        self.names.add(name)
        return name

    def add(self, text: str, declared: Sequence[str] = ()) -> None:
        self.texts.append(text)
        self.declared.update(declared)

    @property
    def nests(self) -> tuple[Nest, ...]:
        """The nest of every kernel, called as its function."""
        return tuple(kernel.nest for kernel in self.kernels.values())

    @property
    def called(self) -> Mapping[Nest, str]:
        """What the function of each nest is called."""
        return {nest: function.name for nest, function in self.functions.items()}

    def uses(
        self, computed: Iterable[tuple[Nest, tuple[Part, ...]]]
    ) -> Mapping[str, Sequence[KernelUse]]:
        """What each function computes, if nests compute these parts."""
        found: dict[str, list[KernelUse]] = {}
        for nest, parts in computed:
            function = self.functions[nest]
            found.setdefault(function.name, []).append(KernelUse(function, nest, parts))
        return found

    def text(self) -> str:
        """The whole module."""
        functions, declared = vector_math.parts(self.elementary)
        if self.runtime:
            random, needed = random_lanes.parts(lanes for _, lanes in self.runtime)
            functions, declared = functions + random, declared | needed
        parts = ["; Generated by Chainrule.\n", *self.texts, *functions]
        parts += [line + "\n" for line in sorted(self.declared | declared)]
        parts.append(self._attributes())
        return "\n".join(parts)

    def _attributes(self) -> str:
        width = f'"prefer-vector-width"="{8 * self.machine.vector_bytes}"'
        return f'attributes #0 = {{ noinline nounwind "no-builtins" {width} }}\n'


def _inert(text: str) -> str:
    """One line of a comment."""
    return "".join(character if character.isprintable() else "?" for character in text)
