"""One kernel, one or two NumPy statements.

NumPy calls its universal functions as the scalar vocabulary calls its primitives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import singledispatch

from chainc.backends.numpy.contraction import contraction
from chainc.backends.numpy.expressions import SourceNames, literal, quoted
from chainc.backends.numpy.runtime import LONG
from chainc.ir.kernels import Family
from chainc.ir.types import Dim
from chainc.lowering.kernels import Contraction, Copy, Fill, Kernel, Map, Reduction
from chainc.lowering.views import Literal, Operand, View
from chainc.ops.families.indexing import Gather, IndexOf, Iota, OneHot, Pick, ScatterAdd
from chainc.ops.families.random import Permutation, RandomWords
from chainc.ops.families.rows import AddAlong, Largest, Order, PickAlong, RunningSum


def statements(kernel: Kernel, scope: SourceNames) -> list[str]:
    """The statements of one kernel, which is no group."""
    return [*_check(kernel, scope), *write_statements(kernel.subject, kernel, scope)]


@singledispatch
def write_statements(subject: Kernel | Family, kernel: Kernel, scope: SourceNames) -> list[str]:
    """By the kernel's class, or by its family's. `register` takes another."""
    name = type(subject).__name__
    raise NotImplementedError(f"{name} has no NumPy statement for {scope.names[kernel.out]}")


@write_statements.register
def _map(subject: Map, kernel: Kernel, scope: SourceNames) -> list[str]:
    (instruction,) = subject.instructions
    out, operands = scope.names[kernel.out], scope.operands(kernel.operands)
    if instruction.primitive == "select":
        return _select(kernel, out, operands)
    if instruction.primitive == "cast" and _to_integers(kernel):
        return [f"np.copyto({out}, as_integers({operands[0]}, {out}.dtype))"]
    if instruction.primitive == "power" and _may_be_an_inverse(kernel):
        return [f"np.copyto({out}, integer_power({', '.join(operands)}))"]
    if instruction.primitive == "cast":
        return [f'np.copyto({out}, {operands[0]}, casting="unsafe")']
    if instruction.primitive == "erf":
        return [f"np.copyto({out}, erf({operands[0]}))"]
    return [f"np.{instruction.primitive}({', '.join(operands)}, out={out})"]


def _to_integers(kernel: Kernel) -> bool:
    new = kernel.out.type.dtype
    return kernel.operands[0].type.dtype.is_float and not (new.is_float or new.is_bool)


def _may_be_an_inverse(kernel: Kernel) -> bool:
    """A power of integers whose exponent may be below 0, which NumPy refuses."""
    exponent, dtype = kernel.operands[1], kernel.out.type.dtype
    known = isinstance(exponent, Literal) and exponent.value >= 0
    return dtype.kind == "i" and not known


def _select(kernel: Kernel, out: str, operands: Sequence[str]) -> list[str]:
    """Write the branch that is not there yet; `out` may be either branch already."""
    condition, chosen, other = operands
    if out == chosen and _is_zero(kernel.operands[2]) and kernel.out.type.dtype.is_float:
        return [f"zero_unless({condition}, {out})"]
    if out == other:
        return [f"np.copyto({out}, {chosen}, where={condition})"]
    if out == chosen:
        return [f"np.copyto({out}, {other}, where=~{condition})"]
    if out == condition:
        return [f"np.copyto({out}, np.where({condition}, {chosen}, {other}))"]
    return [f"np.copyto({out}, {other})", f"np.copyto({out}, {chosen}, where={condition})"]


@write_statements.register
def _contract(subject: Contraction, _kernel: Kernel, scope: SourceNames) -> list[str]:
    return contraction(scope, subject)


@write_statements.register
def _reduce(subject: Reduction, kernel: Kernel, scope: SourceNames) -> list[str]:
    (x,) = kernel.reads
    everything = len(subject.axes) == x.type.ndim
    axes = subject.axes[0] if len(subject.axes) == 1 else subject.axes
    options = [f"axis={None if everything else axes}", f"out={scope.names[kernel.out]}"]
    if subject.keepdims:
        options.append("keepdims=True")
    dtype, folded = kernel.out.type.dtype, subject.accumulator
    if folded != dtype or not dtype.is_float:  # NumPy adds integers in a type of its own choice
        options.append(f"dtype=np.{folded.name}")
    function = "sum_in_blocks" if _may_be_long(subject, x) else f"np.{subject.primitive}.reduce"
    return [f"{function}({scope.view(x)}, {', '.join(options)})"]


def _may_be_long(subject: Reduction, x: View) -> bool:
    """A sum whose rounding errors count, or of a size that is not known yet."""
    if subject.primitive != "add" or not subject.accumulator.is_float:
        return False
    extents = [x.type.shape[axis] for axis in subject.axes]
    known = [extent for extent in extents if isinstance(extent, int)]
    return len(known) < len(extents) or math.prod(known) > LONG


@write_statements.register
def _index_of(family: IndexOf, kernel: Kernel, scope: SourceNames) -> list[str]:
    function = {"maximum": "np.argmax", "minimum": "np.argmin"}[family.primitive]
    (x,) = scope.operands(kernel.operands)
    return [f"{function}({x}, axis={family.axis}, out={scope.names[kernel.out]})"]


@write_statements.register
def _copy(subject: Copy, kernel: Kernel, scope: SourceNames) -> list[str]:
    (x,) = kernel.operands
    out, source = scope.names[kernel.out], scope.operand(x)
    if not subject.starts:
        return [f"np.copyto({out}, {source})"]
    ranges = [
        _written_range(start, step, dim)
        for start, step, dim in zip(subject.starts, subject.steps, x.type.shape, strict=True)
    ]
    return [f"{out}[{', '.join(ranges)}] = {source}"]


def _written_range(start: int, step: int, dim: Dim) -> str:
    if not isinstance(dim, int):
        return ":"
    stop = start + max(dim - 1, 0) * step + min(dim, 1)
    return f"{start}:{stop}" + (f":{step}" if step != 1 else "")


@write_statements.register
def _fill(subject: Fill, kernel: Kernel, scope: SourceNames) -> list[str]:
    return [f"{scope.names[kernel.out]}.fill({literal(subject.value, kernel.out.type)})"]


@write_statements.register
def _gather(family: Gather, kernel: Kernel, scope: SourceNames) -> list[str]:
    x, indices = scope.operands(kernel.operands)
    out = scope.names[kernel.out]
    return [f'np.take({x}, {indices}, axis={family.axis}, out={out}, mode="clip")']


@write_statements.register
def _scatter_add(family: ScatterAdd, kernel: Kernel, scope: SourceNames) -> list[str]:
    indices, updates = scope.operands(kernel.operands)
    position = ":, " * family.axis
    return [f"np.add.at({scope.names[kernel.out]}, np.s_[{position}{indices}], {updates})"]


@write_statements.register
def _one_hot(_family: OneHot, kernel: Kernel, scope: SourceNames) -> list[str]:
    indices, classes = scope.operands(kernel.operands)
    return [f"np.equal({indices}[..., None], {classes}, out={scope.names[kernel.out]})"]


@write_statements.register
def _pick(_family: Pick, kernel: Kernel, scope: SourceNames) -> list[str]:
    x, indices = scope.operands(kernel.operands)
    picked = f"np.take_along_axis({x}, {indices}[..., None], -1)[..., 0]"
    if kernel.out.type.ndim == 1:  # the same in a third of the time
        picked = f"{x}[np.arange({indices}.size), {indices}]"
    return [f"np.copyto({scope.names[kernel.out]}, {picked})"]


@write_statements.register
def _arange(_family: Iota, kernel: Kernel, scope: SourceNames) -> list[str]:
    out, narrow = scope.names[kernel.out], kernel.out.type.dtype.itemsize == 1
    casting = ', casting="unsafe"' if narrow else ""
    return [f"np.copyto({out}, np.arange({out}.size){casting})"]


@write_statements.register
def _running_sum(_family: RunningSum, kernel: Kernel, scope: SourceNames) -> list[str]:
    (x,) = scope.operands(kernel.operands)
    return [f"np.cumsum({x}, axis=-1, out={scope.names[kernel.out]})"]


@write_statements.register
def _pick_along(_family: PickAlong, kernel: Kernel, scope: SourceNames) -> list[str]:
    x, indices = scope.operands(kernel.operands)
    return [f"np.copyto({scope.names[kernel.out]}, np.take_along_axis({x}, {indices}, -1))"]


@write_statements.register
def _add_along(_family: AddAlong, kernel: Kernel, scope: SourceNames) -> list[str]:
    indices, updates = scope.operands(kernel.operands)
    return [f"add_along({scope.names[kernel.out]}, {indices}, {updates})"]


@write_statements.register
def _order(family: Order, kernel: Kernel, scope: SourceNames) -> list[str]:
    (x,) = scope.operands(kernel.operands)
    first = f"{scope.names[kernel.out]}[..., 0, :]"
    if family.descending:
        return [f"np.copyto({first}, order_of({x}, descending=True))"]
    return [f'np.copyto({first}, np.argsort({x}, axis=-1, kind="stable"))']


@write_statements.register
def _largest(family: Largest, kernel: Kernel, scope: SourceNames) -> list[str]:
    (x,) = scope.operands(kernel.operands)
    order = f"order_of({x}, descending=True)"
    return [f"np.copyto({scope.names[kernel.out]}, {order}[..., :{family.count}])"]


@write_statements.register
def _random_bits(family: RandomWords, kernel: Kernel, scope: SourceNames) -> list[str]:
    return _random(kernel, scope, "random_bits", "shape", family.stream)


@write_statements.register
def _permutation(family: Permutation, kernel: Kernel, scope: SourceNames) -> list[str]:
    return _random(kernel, scope, "permutation", "size", family.stream)


def _random(
    kernel: Kernel, scope: SourceNames, function: str, extent: str, stream: int
) -> list[str]:
    out = scope.names[kernel.out]
    seed, step = (f"int({text})" for text in scope.operands(kernel.operands))
    return [f"np.copyto({out}, {function}({out}.{extent}, {stream}, {seed}, {step}))"]


def _check(kernel: Kernel, scope: SourceNames) -> list[str]:
    """Refuse an index out of range."""
    if kernel.index is None or not kernel.checks_indices:
        return []
    indices, bound = kernel.index
    where = quoted(str(kernel.origin.location))
    return [f"require_indices({scope.view(indices)}, {scope.dim(bound)}, {where})"]


def _is_zero(operand: Operand) -> bool:
    """+0, and not -0, which has a bit set."""
    if not isinstance(operand, Literal) or operand.value != 0:
        return False
    return math.copysign(1, operand.value) == 1
