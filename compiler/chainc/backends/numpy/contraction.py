"""Any two-operand einsum through `matmul`: batches, rows, inner axes, columns."""

from __future__ import annotations

from chainc.backends.numpy.expressions import SourceNames, permuted
from chainc.dataclass import dataclass
from chainc.ir.types import Dim, Shape, product
from chainc.lowering.kernels import Contraction
from chainc.lowering.views import View


@dataclass(frozen=True)
class Axes:
    """The axis letters of a contraction by the part they play in a matrix product."""

    batch: str  # in both operands and the result
    row: str  # in the left operand and the result
    inner: str  # in both operands, summed over
    column: str  # in the right operand and the result


def contraction(scope: SourceNames, kernel: Contraction) -> list[str]:
    """The statement that writes the sum of products into the kernel's buffer."""
    (a, b), letters = kernel.reads[:2], kernel.letters
    swapped = _right_comes_first(letters)
    left, right = (b, a) if swapped else (a, b)
    names = (letters[1], letters[0]) if swapped else (letters[0], letters[1])
    axes = _axes(names[0], names[1], letters[2])
    sizes = dict(zip(names[0] + names[1], left.type.shape + right.type.shape, strict=True))
    out = scope.names[kernel.out]
    if not axes.inner:
        return [_outer(scope, left, right, names, letters[2], out)]
    if not axes.row and not axes.column and not axes.batch:
        x = _arranged(scope, left, names[0], axes.inner)
        y = _arranged(scope, right, names[1], axes.inner)
        function = "matmul" if _precision(kernel) else "dot"
        x, y = _flat(x, axes.inner), _flat(y, axes.inner)
        return [f"np.{function}({x}, {y}, out={out}{_precision(kernel)})"]
    x = _matrix(scope, left, names[0], (axes.batch, axes.row, axes.inner), sizes)
    y = _matrix(scope, right, names[1], (axes.batch, axes.inner, axes.column), sizes)
    return _matmul(scope, x, y, kernel, axes, sizes)


def _right_comes_first(letters: tuple[str, str, str]) -> bool:
    """Does an axis of the right operand alone come before those of the left alone?"""
    a, b, result = letters
    alone = [letter for letter in result if (letter in a) != (letter in b)]
    return bool(alone) and alone[0] in b


def _axes(left: str, right: str, result: str) -> Axes:
    return Axes(
        batch="".join(x for x in result if x in left and x in right),
        row="".join(x for x in result if x in left and x not in right),
        inner="".join(x for x in left if x in right and x not in result),
        column="".join(x for x in result if x in right and x not in left),
    )


def _arranged(scope: SourceNames, view: View, letters: str, order: str) -> str:
    axes = [letters.index(letter) for letter in order]
    return scope.view(view) + permuted(axes)


def _flat(text: str, letters: str) -> str:
    return text if len(letters) == 1 else f"{text}.reshape(-1)"


def _outer(
    scope: SourceNames, left: View, right: View, names: tuple[str, str], result: str, out: str
) -> str:
    """No axis is summed over: each operand spread along the axes it lacks."""
    parts = []
    for view, letters in zip((left, right), names, strict=True):
        order = "".join(letter for letter in result if letter in letters)
        spread = ", ".join(":" if letter in letters else "None" for letter in result)
        text = _arranged(scope, view, letters, order)
        parts.append(text if "None" not in spread else f"{text}[{spread}]")
    return f"np.multiply({parts[0]}, {parts[1]}, out={out})"


def _matrix(
    scope: SourceNames,
    view: View,
    letters: str,
    groups: tuple[str, str, str],
    sizes: dict[str, Dim],
) -> str:
    """The operand as a stack of matrices: batch axes, then one axis a group."""
    text = _arranged(scope, view, letters, "".join(groups))
    batch, rows, columns = groups
    if len(rows) == 1 and len(columns) == 1:
        return text
    shape = (*(sizes[x] for x in batch), *(_size(group, sizes) for group in (rows, columns)))
    before = tuple(sizes[letter] for letter in "".join(groups))
    return text + scope.reshaped(before, shape)


def _size(letters: str, sizes: dict[str, Dim]) -> Dim:
    return product(sizes[letter] for letter in letters)


def _precision(kernel: Contraction) -> str:
    """Where sums are more precise than the factors, NumPy is told so."""
    if kernel.accumulator == kernel.factor_type:
        return ""
    return f", dtype=np.{kernel.accumulator.name}"


def _matmul(
    scope: SourceNames, x: str, y: str, kernel: Contraction, axes: Axes, sizes: dict[str, Dim]
) -> list[str]:
    result = kernel.letters[2]
    order = axes.batch + axes.row + axes.column
    out, precision = scope.names[kernel.out], _precision(kernel)
    target = out + permuted([result.index(letter) for letter in order])
    if len(axes.row) == 1 and len(axes.column) == 1:
        return [f"np.matmul({x}, {y}, out={target}{precision})"]
    arranged: Shape = tuple(sizes[letter] for letter in order)
    if result == order:
        shape = (
            *(sizes[letter] for letter in axes.batch),
            _size(axes.row, sizes),
            _size(axes.column, sizes),
        )
        return [f"np.matmul({x}, {y}, out={out}{scope.reshaped(arranged, shape)}{precision})"]
    return [f"np.copyto({target}, np.matmul({x}, {y}{precision}).reshape({scope.shape(arranged)}))"]
