"""Normalisation of the channels of images."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import product
from chainc.ops import mean, reshape, sqrt, square
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count, number
from chainrule.declare.leaves import parameter
from chainrule.nn.fitting import misfit, require_float
from chainrule.nn.module import DTypeLike, Module
from chainrule.nn.normalization import BatchNorm, affine_along

__all__ = ["BatchNorm2d", "BatchNorm3d", "GroupNorm"]


class BatchNorm2d(BatchNorm):
    """`BatchNorm1d` for each channel of images (batch, channels, height, width)."""

    shapes = ("[batch,{n},height,width]",)


class BatchNorm3d(BatchNorm):
    """`BatchNorm1d` for each channel of volumes (batch, channels, depth, height, width)."""

    shapes = ("[batch,{n},depth,height,width]",)


@dataclass(frozen=True, eq=False, init=False)
class GroupNorm(Module):
    """y = (x - mean) / √(var + eps) · weight + bias, over a group of channels of each row.

    x is (batch, channels, ...), of any rank; the variance is the biased one, and the same is done
    in every mode (Wu and He 2018). One group is layer normalisation over all but the batch; as
    many groups as channels is instance normalisation.

    Attributes:
        groups: into which the channels are divided, in order.
        channels: the size of axis 1.
        eps: added to the variance: 1e-5 as in PyTorch, 1e-3 in Keras.
        weight: the scale of each channel, at first 1; None with affine=False, as the bias, at
            first 0.
    """

    groups: int
    channels: int
    eps: float
    weight: Node | None
    bias: Node | None

    def __init__(
        self,
        groups: int,
        channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the layer's parameters.

        Raises:
            InputError: a number is no positive whole one, the groups do not divide the channels,
                or `eps` is not positive.
        """
        hint = "give groups that divide the channels, such as nn.GroupNorm(4, 32)"
        parts = count("GroupNorm", "groups", groups, hint=hint)
        width = count("GroupNorm", "channels", channels, hint=hint)
        if width % parts:
            raise InputError(
                f"GroupNorm: {width} channels do not divide into {parts} groups", hint=hint
            )
        number("GroupNorm", "eps", eps, above=0, hint="give eps=1e-5")
        scaled = as_flag("GroupNorm", "affine", affine)
        self._set(
            name=name,
            dtype=dtype,
            groups=parts,
            channels=width,
            eps=eps,
            weight=parameter("weight", (width,), "ones") if scaled else None,
            bias=parameter("bias", (width,), "zeros") if scaled else None,
        )
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        require_float(self.label, x)
        if x.ndim < 2 or x.shape[1] != self.channels:
            wanted = f"it must be [batch,{self.channels},...]"
            raise misfit(self.label, x, wanted, "change the input, or the channels of the layer")
        inside = product((self.channels // self.groups, *x.shape[2:]))
        grouped = reshape(x, (x.shape[0], self.groups, inside))
        centred = grouped - mean(grouped, -1, keepdims=True)
        variance = mean(square(centred), -1, keepdims=True)
        normal = reshape(centred / sqrt(variance + self.eps), x.shape)
        return affine_along(normal, self.weight, self.bias)

    def __repr__(self) -> str:
        return f"GroupNorm({self.groups}, {self.channels})"
