"""The fully connected layer."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node, current_origin, describe
from chainc.ir.errors import ShapeError
from chainc.ir.types import format_shape
from chainc.ops import matmul
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count
from chainrule.declare.init import InitializerLike
from chainrule.declare.leaves import parameter
from chainrule.nn.module import DTypeLike, Module

__all__ = ["Linear"]


@dataclass(frozen=True, eq=False, init=False)
class Linear(Module):
    """Y = x W + b over the last axis of x; W is (in, out).

    Attributes:
        in_features: the size of the input's last axis.
        out_features: the size of the output's last axis.
        weight: the parameter W, by default drawn by He's rule for ReLU.
        bias: the parameter b, at first 0; None for a layer without it.
    """

    in_features: int
    out_features: int
    weight: Node
    bias: Node | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        init: InitializerLike = "he_normal",
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the layer's parameters.

        Args:
            in_features: the size of the input's last axis, at least 1.
            out_features: the size of the output's last axis, at least 1.
            bias: whether to add b.
            init: the initialiser of the weight, its name, a number, or an array of values.
            name: the layer's own part of its parameters' names.
            dtype: of them, "float32" or "float64"; by default float32.

        Raises:
            InputError: a size is no positive whole number, or the initialiser cannot be used.
        """
        hint = "give both sizes, such as nn.Linear(64, 32)"
        rows = count("Linear", "in_features", in_features, hint=hint)
        columns = count("Linear", "out_features", out_features, hint=hint)
        shifted = as_flag("Linear", "bias", bias)
        self._set(
            name=name,
            dtype=dtype,
            in_features=rows,
            out_features=columns,
            weight=parameter("weight", (rows, columns), init),
            bias=parameter("bias", (columns,), "zeros") if shifted else None,
        )
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        self._check_input(x)
        product = matmul(x, self.weight)
        return product if self.bias is None else product + self.bias

    def input_shape(self) -> tuple[str | int, ...]:
        return ("batch", self.in_features)

    def _check_input(self, x: Node) -> None:
        if x.shape and x.shape[-1] == self.in_features:
            return
        fitting = format_shape((*x.shape[:-1], self.in_features))
        raise ShapeError(
            f"{self.label}: input {format_shape(x.shape)} does not fit weight "
            f"{format_shape(self.weight.shape)}: its last axis must have size {self.in_features}",
            where=f"{current_origin().location}"
            f"\n         input: {describe(x)}\n         weight: {describe(self.weight)}",
            hint=f"give it an input of shape {fitting}, or change the sizes of the layer",
        )

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features})"
