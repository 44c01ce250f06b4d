"""One kernel, one or two NumPy statements."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from chainc.backends.numpy.contraction import contraction
from chainc.backends.numpy.expressions import SourceNames, literal, quoted
from chainc.ir.types import Dim
from chainc.lowering import program as loops
from chainc.lowering.program import Kernel, Literal, Map, Operand, View

# The scalar vocabulary as NumPy's universal functions.
FUNCTIONS: Mapping[str, str] = {
    "add": "np.add",
    "subtract": "np.subtract",
    "multiply": "np.multiply",
    "divide": "np.divide",
    "floor_divide": "np.floor_divide",
    "remainder": "np.remainder",
    "power": "np.power",
    "maximum": "np.maximum",
    "minimum": "np.minimum",
    "negative": "np.negative",
    "absolute": "np.absolute",
    "floor": "np.floor",
    "sqrt": "np.sqrt",
    "exp": "np.exp",
    "expm1": "np.expm1",
    "log": "np.log",
    "log1p": "np.log1p",
    "sin": "np.sin",
    "cos": "np.cos",
    "tanh": "np.tanh",
    "less": "np.less",
    "less_equal": "np.less_equal",
    "equal": "np.equal",
    "logical_and": "np.logical_and",
    "logical_or": "np.logical_or",
    "logical_not": "np.logical_not",
}


class Statements:
    """Prints kernels in one scope of names."""

    def __init__(self, scope: SourceNames) -> None:
        self.scope = scope

    def of(self, kernel: Kernel) -> list[str]:
        printers: Mapping[type[Kernel], Callable[..., list[str]]] = {
            loops.Map: self._map,
            loops.Contraction: self._contract,
            loops.Reduction: self._reduce,
            loops.IndexOf: self._index_of,
            loops.Copy: self._copy,
            loops.Fill: self._fill,
            loops.Gather: self._gather,
            loops.ScatterAdd: self._scatter_add,
            loops.OneHot: self._one_hot,
            loops.Iota: self._arange,
            loops.RandomWords: self._random_bits,
            loops.Permutation: self._permutation,
        }
        return printers[type(kernel)](kernel)

    def _out(self, kernel: Kernel) -> str:
        return self.scope.names[kernel.out]

    def _operands(self, operands: Sequence[Operand]) -> list[str]:
        return [self.scope.operand(operand) for operand in operands]

    def _map(self, kernel: Map) -> list[str]:
        (instruction,) = kernel.instructions
        out, operands = self._out(kernel), self._operands(kernel.operands)
        if instruction.primitive == "select":
            return self._select(kernel, out, operands)
        if instruction.primitive == "cast":
            return [f'np.copyto({out}, {operands[0]}, casting="unsafe")']
        if instruction.primitive == "erf":
            return [f"np.copyto({out}, erf({operands[0]}))"]
        function = FUNCTIONS[instruction.primitive]
        return [f"{function}({', '.join(operands)}, out={out})"]

    def _select(self, kernel: Map, out: str, operands: Sequence[str]) -> list[str]:
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

    def _contract(self, kernel: loops.Contraction) -> list[str]:
        return contraction(self.scope, kernel)

    def _reduce(self, kernel: loops.Reduction) -> list[str]:
        (x,) = kernel.reads
        everything = len(kernel.axes) == x.type.ndim
        axes = kernel.axes[0] if len(kernel.axes) == 1 else kernel.axes
        options = [f"axis={None if everything else axes}", f"out={self._out(kernel)}"]
        if kernel.keepdims:
            options.append("keepdims=True")
        if not kernel.out.type.dtype.is_float:
            options.append(f"dtype=np.{kernel.out.type.dtype.name}")
        function = FUNCTIONS[kernel.primitive]
        return [f"{function}.reduce({self.scope.view(x)}, {', '.join(options)})"]

    def _index_of(self, kernel: loops.IndexOf) -> list[str]:
        function = {"maximum": "np.argmax", "minimum": "np.argmin"}[kernel.primitive]
        (x,) = self._operands(kernel.operands)
        return [f"{function}({x}, axis={kernel.axis}, out={self._out(kernel)})"]

    def _copy(self, kernel: loops.Copy) -> list[str]:
        (x,) = kernel.operands
        source = self.scope.operand(x)
        if not kernel.starts:
            return [f"np.copyto({self._out(kernel)}, {source})"]
        ranges = [
            self._written_range(start, step, dim)
            for start, step, dim in zip(kernel.starts, kernel.steps, x.type.shape, strict=True)
        ]
        return [f"{self._out(kernel)}[{', '.join(ranges)}] = {source}"]

    def _written_range(self, start: int, step: int, dim: Dim) -> str:
        if not isinstance(dim, int):
            return ":"
        stop = start + max(dim - 1, 0) * step + min(dim, 1)
        return f"{start}:{stop}" + (f":{step}" if step != 1 else "")

    def _fill(self, kernel: loops.Fill) -> list[str]:
        return [f"{self._out(kernel)}.fill({literal(kernel.value, kernel.out.type)})"]

    def _gather(self, kernel: loops.Gather) -> list[str]:
        x, indices = kernel.reads
        take = (
            f"np.take({self.scope.view(x)}, {self.scope.view(indices)}, axis={kernel.axis}, "
            f'out={self._out(kernel)}, mode="clip")'
        )
        return [*self._check(kernel.checked, indices, x.type.shape[kernel.axis], kernel), take]

    def _scatter_add(self, kernel: loops.ScatterAdd) -> list[str]:
        indices, updates = kernel.reads
        position = ":, " * kernel.axis
        add = (
            f"np.add.at({self._out(kernel)}, np.s_[{position}{self.scope.view(indices)}], "
            f"{self.scope.view(updates)})"
        )
        bound = kernel.out.type.shape[kernel.axis]
        return [*self._check(kernel.checked, indices, bound, kernel), add]

    def _one_hot(self, kernel: loops.OneHot) -> list[str]:
        indices, classes = kernel.reads
        spread = f"{self.scope.view(indices)}[..., None]"
        equal = f"np.equal({spread}, {self.scope.view(classes)}, out={self._out(kernel)})"
        return [*self._check(kernel.checked, indices, kernel.out.type.shape[-1], kernel), equal]

    def _check(self, checked: bool, indices: View, bound: Dim, kernel: Kernel) -> list[str]:
        if not checked:
            return []
        arguments = (
            self.scope.view(indices),
            self.scope.dim(bound),
            quoted(str(kernel.origin.location)),
        )
        return [f"require_indices({', '.join(arguments)})"]

    def _arange(self, kernel: loops.Iota) -> list[str]:
        out = self._out(kernel)
        return [f"np.copyto({out}, np.arange({out}.size))"]

    def _random_bits(self, kernel: loops.RandomWords) -> list[str]:
        return self._random(kernel, "random_bits", f"{self._out(kernel)}.shape", kernel.stream)

    def _permutation(self, kernel: loops.Permutation) -> list[str]:
        return self._random(kernel, "permutation", f"{self._out(kernel)}.size", kernel.stream)

    def _random(self, kernel: Kernel, function: str, extent: str, stream: int) -> list[str]:
        seed, step = (f"int({text})" for text in self._operands(kernel.operands))
        return [f"np.copyto({self._out(kernel)}, {function}({extent}, {stream}, {seed}, {step}))"]


def _is_zero(operand: Operand) -> bool:
    """+0, and not -0, which has a bit set."""
    if not isinstance(operand, Literal) or operand.value != 0:
        return False
    return math.copysign(1, operand.value) == 1
