"""The texts of machine code, line by line: each kernel is a function of its own in all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from chainc.listing import Line, Listing
from chainc.loops import Kernel
from chainc.nest_text import print_nest
from chainc.nests import Nest

Kernels = Mapping[str, Sequence[Kernel]]  # by the name of their function

_NAME = r'"?(?P<name>[\w.]+)"?'
_DEFINITION = re.compile(rf"define [^@]*@{_NAME}\(")
_LABEL = re.compile(rf"{_NAME}:")
_CLOSING = re.compile("}")
_END_LABEL = re.compile(r"\.?Lfunc_end")


def list_loops(nests: Iterable[Nest], kernels: Kernels) -> Listing:
    """Every kernel in the loop language, in order of first use."""
    lines: list[Line] = []
    for nest in nests:
        computed = tuple(kernels.get(nest.name, ()))
        lines += [Line(text, computed) for text in print_nest(nest).splitlines()]
        lines.append(Line(""))
    return Listing(tuple(lines))


def list_llvm(text: str, kernels: Kernels) -> Listing:
    """LLVM text, whose functions end in a line with a brace."""
    return _by_function(text, kernels, _DEFINITION, _CLOSING)


def list_assembly(text: str, kernels: Kernels) -> Listing:
    """Assembly, whose functions run from their label to that of their end, or to the next one."""
    return _by_function(text, kernels, _LABEL, _END_LABEL)


def _by_function(
    text: str, kernels: Kernels, start: re.Pattern[str], end: re.Pattern[str]
) -> Listing:
    lines: list[Line] = []
    current: tuple[Kernel, ...] = ()
    for line in text.splitlines():
        found = start.match(line)
        if found and not found["name"].startswith((".L", "L")):
            current = tuple(kernels.get(found["name"], ()))
        lines.append(Line(line, current))
        if end.match(line):
            current = ()
    return Listing(tuple(lines))
