"""What the code means that a native run leaves when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from chainc.dataclass import dataclass
from chainc.ir import Origin
from chainc.ir.errors import ChainruleError, InputError, NonFiniteError
from chainc.lowering.kernels import Kernel
from chainc.lowering.views import Buffer

NOT_FINITE = 1 << 32  # codes from here on; those from 1 on are indices out of range


@dataclass(frozen=True)
class Watched:
    """A buffer that is looked through: when the step begins, or once it is written."""

    buffer: Buffer
    origin: Origin
    given: bool


@dataclass
class Failures:
    """The meanings, numbered as the routines are written."""

    kernels: list[Kernel] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)

    def add_kernel(self, kernel: Kernel) -> int:
        """The code for an index that the kernel meets out of range."""
        self.kernels.append(kernel)
        return len(self.kernels)

    def add_kernels(self, kernels: Sequence[Kernel]) -> int:
        """The code for such an index in the first of them; the others have those after it."""
        first = len(self.kernels) + 1
        self.kernels += kernels
        return first

    def add_watched(self, watched: Watched) -> int:
        """The code for a number that is not finite."""
        self.watched.append(watched)
        return NOT_FINITE + len(self.watched) - 1

    def error(self, code: int, step: int | None = None) -> ChainruleError:
        """The exception for a code; `step` is that of the training in which it arose."""
        if code >= NOT_FINITE:
            return _not_finite(self.watched[code - NOT_FINITE], step)
        return _out_of_range(self.kernels[code - 1])


def _out_of_range(kernel: Kernel) -> InputError:
    assert kernel.index is not None, "only a kernel with indices fails"
    _, bound = kernel.index
    return InputError(
        f"an index is out of range for an axis of size {bound}",
        where=str(kernel.root.origin.location),
        hint=f"use indices from 0 to {bound - 1}"
        if isinstance(bound, int)
        else f"use indices from 0, less than {bound}",
    )


def _not_finite(watched: Watched, step: int | None) -> NonFiniteError:
    buffer, origin = watched.buffer, watched.origin
    when = "" if step is None else f"step {step}: "
    if watched.given:
        kind = "state" if buffer.role == "state" else "input"
        return NonFiniteError(
            f"{when}the {kind} {buffer.key!r} holds NaN or infinity when the step begins",
            where=str(origin.location),
            hint="clean the data, or continue from a state that is finite",
        )
    scope = f" of {origin.scope}" if origin.scope else ""
    name = (
        f"the new value of {buffer.key!r}" if buffer.role == "state" else f"{buffer.name!r}{scope}"
    )
    return NonFiniteError(
        f"{when}{name} is the first to hold NaN or infinity; all that it is computed from is "
        "finite",
        where=str(origin.location),
        hint="lower the learning rate, scale the data, or use a stable form such as "
        "losses.cross_entropy on logits",
    )
