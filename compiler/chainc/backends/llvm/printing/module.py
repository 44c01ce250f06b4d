"""A module of functions: each printed once, however often it is called, with what it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace

from chainc.backends.llvm.printing.lanes import Avx512Lanes, LlvmLanes
from chainc.backends.llvm.printing.nest import SHARED, Function, inlined_calls, print_function
from chainc.backends.llvm.printing.routine import RoutinePrinter
from chainc.backends.llvm.printing.spelling import array
from chainc.backends.math import functions as vector_math
from chainc.backends.math import random_lanes
from chainc.dataclass import dataclass
from chainc.loops.language import Data, Nest, Routine
from chainc.loops.names import first_free
from chainc.lowering.parts import Part
from chainc.schedules.layout.machine import Machine
from chainc.schedules.training.waiting import BARRIER

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


@dataclass(frozen=True)
class _Printed:
    """The function of a kernel with its name, and a note on it."""

    name: str
    function: Function
    note: str

    def text(self, linkage: str = "internal") -> str:
        return self.function.text(self.name, self.note, linkage)


@dataclass
class Parting:
    """Kernels in their order, in parts that have bodies of some `size`."""

    size: int
    take: Callable[[str], None]
    kernels: list[_Printed] = field(default_factory=list)  # of the part in the making
    some: bool = False  # was one taken?

    def fills(self, kernel: _Printed) -> bool:
        """Is the part complete with this one?"""
        self.kernels.append(kernel)
        return sum(len(each.function.body) for each in self.kernels) >= self.size

    def taken(self) -> Sequence[_Printed]:
        """The kernels of the part; another begins."""
        kernels, self.kernels, self.some = self.kernels, [], True
        return kernels


@dataclass
class Module:
    """LLVM text in the making.

    What is called of the routines in `elsewhere` is declared: it is in another module. At barriers
    threads wait as a routine says.
    """

    machine: Machine
    most_copies: int = MOST_COPIES
    kernels: dict[tuple[str, str], KernelFunction] = field(default_factory=dict)
    functions: dict[Nest, KernelFunction] = field(default_factory=dict)
    routines: list[Routine] = field(default_factory=list)
    constants: set[str] = field(default_factory=set)
    texts: list[str | _Printed] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)  # by what is no kernel
    names: set[str] = field(default_factory=lambda: set(RESERVED))
    copies: int = 0  # of these functions
    elsewhere: Collection[Routine] = ()
    barrier: Routine = BARRIER
    parting: Parting | None = None  # where kernels go as soon as they are printed

    def kernel(self, nest: Nest) -> KernelFunction:
        """The function of a nest; nests that differ in nothing but names share one."""
        if nest not in self.functions:
            self.functions[nest] = self._function_of(nest)
        return self.functions[nest]

    def _function_of(self, nest: Nest) -> KernelFunction:
        copies = inlined_calls(nest)
        inlines = self.copies + copies <= self.most_copies
        printed = print_function(nest, inlines=inlines, rounds=self.machine.rounds)
        key = (printed.arguments, printed.body)
        if key not in self.kernels:
            self.copies += copies
            self.kernels[key] = self._added(nest, printed, inlines=inlines)
        return self.kernels[key]

    def _added(self, nest: Nest, printed: Function, *, inlines: bool) -> KernelFunction:
        name = self.unique(nest.name)
        self.texts.append(text := _Printed(name, printed, _inert(nest.note)))
        if self.parting is not None and self.parting.fills(text):
            self.parting.take(self._of_kernels(self.parting.taken()))
        return KernelFunction(name, nest.shared, printed.fails, replace(nest, name=name), inlines)

    def routine(self, routine: Routine, *, exported: bool = False) -> str:
        """The name of a routine's function; what it calls comes before it."""
        printer = RoutinePrinter(routine, self._called, self._constant)
        if routine in self.elsewhere:
            self.declared.add(printer.declaration())
        elif routine not in self.routines:
            self.routines.append(routine)
            text = printer.function(exported=exported)
            if printer.barriers:
                self.routine(self.barrier)
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
        name = first_free(base, self.names, ".")
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
        texts = [each if isinstance(each, str) else each.text() for each in self.texts]
        return self._with_needs(texts, self._printed(), self.declared)

    def parts(self, size: int) -> Sequence[str]:
        """The same as modules to be linked: what is no kernel, and kernels by some `size`."""
        parting = Parting(size, lambda _: None)
        groups = [parting.taken() for kernel in self._printed() if parting.fills(kernel)]
        groups += [parting.taken()] if parting.kernels else []
        if len(groups) < 2:
            return [self.text()]
        return [self._head(), *(self._of_kernels(group) for group in groups)]

    def hand_over(self, size: int, take: Callable[[str], None]) -> None:
        """The same, part by part."""
        for part in self.parts(size):
            take(part)

    def handing_over(self, parting: Parting, write: Callable[[], object]) -> None:
        """Hand over parts while `write` has more printed, what is no kernel as the last."""
        self.parting = parting
        write()
        self.parting = None
        if not parting.some:
            parting.take(self.text())
            return
        parting.take(self._head())
        if parting.kernels:
            parting.take(self._of_kernels(parting.taken()))

    def _head(self) -> str:
        """What is no kernel."""
        others = [each for each in self.texts if isinstance(each, str)]
        declarations = [each.function.declaration(each.name) for each in self._printed()]
        return self._with_needs([*others, *declarations], (), self.declared)

    def _printed(self) -> Sequence[_Printed]:
        return [each for each in self.texts if isinstance(each, _Printed)]

    def _of_kernels(self, kernels: Sequence[_Printed]) -> str:
        return self._with_needs([each.text(SHARED) for each in kernels], kernels, set())

    def _with_needs(
        self, texts: Sequence[str], kernels: Sequence[_Printed], declared: Collection[str]
    ) -> str:
        """A module of texts, with what these kernels call, and what is declared for others."""
        called = {each for kernel in kernels for each in kernel.function.called}
        lanes = Avx512Lanes if self.machine.scales else LlvmLanes
        functions, needed = vector_math.parts(called, lanes)
        random, more = random_lanes.parts(
            {name for kernel in kernels for name in kernel.function.runtime}, LlvmLanes
        )
        needed = needed.union(more, declared, *(kernel.function.declared for kernel in kernels))
        parts = ["; Generated by Chainrule.\n", *texts, *functions, *random]
        parts += [line + "\n" for line in sorted(needed)]
        parts.append(self._attributes())
        return "\n".join(parts)

    def _attributes(self) -> str:
        width = f'"prefer-vector-width"="{8 * self.machine.vector_bytes}"'
        return f'attributes #0 = {{ noinline nounwind "no-builtins" {width} }}\n'


def _inert(text: str) -> str:
    """One line of a comment."""
    return "".join(character if character.isprintable() else "?" for character in text)
