"""What masks leave out: sums of which only some count, and factors that are mostly zeros.

where(seen, q · k, -∞)               no product is added up where nothing of a panel is seen
where(seen, weight, 0) @ values      no value is read that a panel of zeros would be multiplied by
"""

from __future__ import annotations

from dataclasses import replace

from chainc.lowering.instructions import Argument
from chainc.lowering.kernels import Contraction, Kernel, Map
from chainc.lowering.program import Program
from chainc.lowering.views import Literal, View


def mask_of(root: Contraction) -> View | None:
    """What says where sums count, if nothing is made of the others."""
    last = root.epilogue[-1] if root.epilogue else None
    if last is None or last.primitive != "select":
        return None
    mask, _, other = last.operands
    if not isinstance(mask, Argument) or mask.index == 0 or not isinstance(other, Literal):
        return None
    found = root.operands[mask.index + 1]
    return found if isinstance(found, View) else None


def with_masks(program: Program) -> Program:
    """The program with contractions that know that their first factor is zero here and there."""
    zeros = {kernel.out for kernel in program.body if _leaves_zeros(kernel)}

    def changed(kernel: Kernel) -> Kernel:
        first = kernel.operands[0] if isinstance(kernel, Contraction) else None
        if isinstance(kernel, Contraction) and isinstance(first, View) and first.buffer in zeros:
            return replace(kernel, masked=True)
        return kernel

    return replace(program, body=tuple(map(changed, program.body))) if zeros else program


def _leaves_zeros(kernel: Kernel) -> bool:
    if not isinstance(kernel, Map) or kernel.instructions[-1].primitive != "select":
        return False
    mask, _, other = kernel.instructions[-1].operands
    return isinstance(mask, Argument) and isinstance(other, Literal) and other.value == 0
