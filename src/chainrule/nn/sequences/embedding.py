"""A vector for each of some numbers."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node, current_origin, describe, scope
from chainc.ir.errors import DTypeError
from chainc.ops import matmul, matrix_transpose, take
from chainrule.declare import init as initializers
from chainrule.declare.arguments import count
from chainrule.declare.init import InitializerLike
from chainrule.declare.leaves import parameter
from chainrule.nn.module import DTypeLike, Module

__all__ = ["Embedding"]


@dataclass(frozen=True, eq=False, init=False)
class Embedding(Module):
    """Y[..., :] = weight[x[...]]: row x of a table, for integers x from 0, below `count`.

    From (...) to (..., features). The gradient of a row is the sum over all places that read it;
    an index out of range is refused.

    Attributes:
        count: how many rows the table has.
        features: the length of each.
        weight: the table, by default normal numbers of deviation 1, as in PyTorch.
    """

    count: int
    features: int
    weight: Node

    def __init__(
        self,
        count: int,
        features: int,
        init: InitializerLike | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the table.

        Raises:
            InputError: a size is no positive whole number, or the initialiser cannot be used.
        """
        rows, columns = _size("count", count), _size("features", features)
        start = initializers.normal(std=1.0) if init is None else init
        self._set(
            name=name,
            dtype=dtype,
            count=rows,
            features=columns,
            weight=parameter("weight", (rows, columns), start),
        )
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        if x.type.dtype.kind != "i":
            raise DTypeError(
                f"{self.label}: the indices {describe(x)} are no integers",
                where=f"{current_origin().location}\n         indices: {describe(x)}",
                hint='declare them as cr.input("x", ("batch",), dtype="int32")',
            )
        return take(self.weight, x)

    def scores(self, x: Node) -> Node:
        """How much x, (..., features), is like each row: x · weightᵀ, (..., count).

        As the last layer of a network that begins with the table, which has one matrix less so
        (Press and Wolf, 2017).
        """
        with scope(self.label.text):
            return matmul(x, matrix_transpose(self.weight))

    def __repr__(self) -> str:
        return f"Embedding({self.count}, {self.features})"


def _size(name: str, given: object) -> int:
    return count("Embedding", name, given, hint="give both sizes, such as nn.Embedding(1000, 16)")
