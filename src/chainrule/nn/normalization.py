"""Layers that bring values to mean 0 and variance 1, then scale and shift them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.leaves import size
from chainc.ir.types import format_shape, product
from chainc.ops import astype, by_mode, mean, reshape, sqrt, square, updating, var
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import count, number
from chainrule.declare.leaves import parameter
from chainrule.nn.fitting import misfit, require_float
from chainrule.nn.module import DTypeLike, Module

__all__ = ["BatchNorm1d", "LayerNorm", "RMSNorm"]


@dataclass(frozen=True, eq=False, init=False)
class BatchNorm(Module):
    """What the layers of every rank share: statistics of axis 1, over all the other axes."""

    shapes: ClassVar[tuple[str, ...]]  # that an input may have, n the number of features

    features: int
    eps: float
    momentum: float
    weight: Node | None
    bias: Node | None
    running_mean: Node
    running_var: Node

    def __init__(
        self,
        features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the layer's parameters and states.

        Raises:
            InputError: `features` is no positive whole number, `eps` not positive, or `momentum`
                not between 0 and 1.
        """
        kind = type(self).__name__
        width = (count(kind, "features", features, hint=f"give a size: {kind}(64)"),)
        number(kind, "eps", eps, above=0, hint="give eps=1e-5")
        scaled = as_flag(kind, "affine", affine)
        hint = "give the share of the new value, such as momentum=0.1"
        number(kind, "momentum", momentum, above=0, below=1, hint=hint)
        self._set(
            name=name,
            dtype=dtype,
            features=width[0],
            eps=eps,
            momentum=momentum,
            weight=parameter("weight", width, "ones") if scaled else None,
            bias=parameter("bias", width, "zeros") if scaled else None,
            running_mean=parameter("running_mean", width, "zeros", trainable=False),
            running_var=parameter("running_var", width, "ones", trainable=False),
        )
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        require_float(self.label, x)
        ranks = {shape.count(",") + 1 for shape in self.shapes}
        if x.ndim not in ranks or x.shape[1] != self.features:
            wanted = f"it must be {' or '.join(self.shapes)}".format(n=self.features)
            raise misfit(self.label, x, wanted, "change the input, or the features of the layer")
        axes = (0, *range(2, x.ndim))
        average, variance = mean(x, axes), var(x, axes)
        n = astype(size(product(x.shape[axis] for axis in axes), least=2), x.type.dtype)
        moved = {
            self.running_mean: self._moved(self.running_mean, average),
            self.running_var: self._moved(self.running_var, variance * (n / (n - 1))),
        }
        train = updating(self._scaled(x, average, variance), moved)
        return by_mode(train=train, infer=self._scaled(x, self.running_mean, self.running_var))

    def _moved(self, running: Node, batch: Node) -> Node:
        new = (1 - self.momentum) * running + self.momentum * batch
        return astype(new, running.type.dtype)

    def _scaled(self, x: Node, average: Node, variance: Node) -> Node:
        """Normalised and scaled, with the statistics along axis 1 of x."""
        deviation = sqrt(variance + self.eps)
        normal = (x - _along(x, average)) / _along(x, deviation)
        return affine_along(normal, self.weight, self.bias)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.features})"


class BatchNorm1d(BatchNorm):
    """y = (x - mean) / √(var + eps) · weight + bias, for each feature (Ioffe and Szegedy 2015).

    x is (batch, features) or (batch, features, length). In training mean and var are those of the
    batch, var the biased one that divides by the number n of values; elsewhere they are the running
    ones, which each step moves to (1 - momentum) · running + momentum · batch. As in PyTorch, the
    momentum is the share of the new value, and the running variance takes the unbiased one, which
    divides by n - 1; so one value a feature is refused. (In Keras the momentum is the share of the
    old value, 0.99, eps is 1e-3, and both variances are biased.)

    A step may use the layer once, for a state has one new value. Two uses need two layers.

    Attributes:
        features: the size of axis 1.
        eps: added to the variance.
        momentum: the share of the batch in the running statistics.
        weight: the scale, at first 1; None with affine=False, as the bias, at first 0.
        running_mean: state, at first 0.
        running_var: state, at first 1.
    """

    shapes = ("[batch,{n}]", "[batch,{n},length]")

    def input_shape(self) -> tuple[str | int, ...]:
        return ("batch", self.features)


@dataclass(frozen=True, eq=False, init=False)
class RowNorm(Module):
    """What layers share that normalise each row by itself: the sizes of the last axes."""

    shape: tuple[int, ...]
    eps: float
    weight: Node | None
    bias: Node | None

    def _declare(
        self,
        shape: int | Sequence[int],
        eps: float,
        *,
        affine: bool,
        bias: bool,
        name: str | None,
        dtype: DTypeLike,
    ) -> None:
        kind = type(self).__name__
        hint = f"give the size of the last axis, such as nn.{kind}(64)"
        given = shape if isinstance(shape, list | tuple) else (shape,)
        sizes = tuple(count(kind, "a size", each, hint=hint) for each in given)
        number(kind, "eps", eps, above=0, hint="give eps=1e-5")
        scaled = as_flag(kind, "affine", affine)
        shifted = as_flag(kind, "bias", bias) and scaled
        self._set(
            name=name,
            dtype=dtype,
            shape=sizes,
            eps=eps,
            weight=parameter("weight", sizes, "ones") if scaled else None,
            bias=parameter("bias", sizes, "zeros") if shifted else None,
        )
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        require_float(self.label, x)
        if not self.shape or x.shape[-len(self.shape) :] != self.shape:
            wanted = f"its last axes must be {format_shape(self.shape)}"
            raise misfit(self.label, x, wanted, "change the input, or the shape of the layer")
        return _affine(self._normal(x, tuple(range(-len(self.shape), 0))), self.weight, self.bias)

    def _normal(self, x: Node, axes: tuple[int, ...]) -> Node:
        """Normalised over these axes."""
        raise NotImplementedError

    def input_shape(self) -> tuple[str | int, ...]:
        return ("batch", *self.shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(str, self.shape))})"


@dataclass(frozen=True, eq=False, init=False)
class LayerNorm(RowNorm):
    """y = (x - mean) / √(var + eps) · weight + bias, over the last axes of each row.

    The variance is the biased one, and the same is done in every mode (Ba, Kiros, Hinton 2016).

    Attributes:
        shape: the sizes of the last axes, over which mean and variance are taken.
        eps: added to the variance: 1e-5 as in PyTorch, 1e-3 in Keras.
        weight: the scale, at first 1, of that shape; None with affine=False, as the bias, at first
            0.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the layer's parameters.

        Args:
            shape: a size, or the sizes of several last axes.
            eps: added to the variance.
            affine: whether to scale and shift.
            bias: whether to shift.
            name: the layer's own part of its parameters' names.
            dtype: of them, "float32" or "float64"; by default float32.

        Raises:
            InputError: a size is no positive whole number, or `eps` not positive.
        """
        self._declare(shape, eps, affine=affine, bias=bias, name=name, dtype=dtype)

    def _normal(self, x: Node, axes: tuple[int, ...]) -> Node:
        centred = x - mean(x, axes, keepdims=True)
        return centred / sqrt(mean(square(centred), axes, keepdims=True) + self.eps)


@dataclass(frozen=True, eq=False, init=False)
class RMSNorm(RowNorm):
    """y = x / √(mean(x²) + eps) · weight, over the last axes of each row.

    A layer normalisation that leaves the mean alone (Zhang and Sennrich 2019).

    Attributes:
        shape: the sizes of the last axes, over which the mean of squares is taken.
        eps: added to it: 1e-6 as in Keras; in PyTorch the spacing of numbers at 1.
        weight: the scale, at first 1, of that shape; None with affine=False.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        eps: float = 1e-6,
        affine: bool = True,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Declare the layer's parameter.

        Args:
            shape: a size, or the sizes of several last axes.
            eps: added to the mean of squares.
            affine: whether to scale.
            name: the layer's own part of its parameter's name.
            dtype: of it, "float32" or "float64"; by default float32.

        Raises:
            InputError: a size is no positive whole number, or `eps` not positive.
        """
        self._declare(shape, eps, affine=affine, bias=False, name=name, dtype=dtype)

    def _normal(self, x: Node, axes: tuple[int, ...]) -> Node:
        return x / sqrt(mean(square(x), axes, keepdims=True) + self.eps)


def _affine(x: Node, weight: Node | None, bias: Node | None) -> Node:
    scaled = x if weight is None else x * weight
    return scaled if bias is None else scaled + bias


def affine_along(x: Node, weight: Node | None, bias: Node | None) -> Node:
    """Scaled and shifted by one number for each feature, on axis 1."""
    return _affine(
        x,
        None if weight is None else _along(x, weight),
        None if bias is None else _along(x, bias),
    )


def _along(x: Node, values: Node) -> Node:
    """One value for each feature, on axis 1 of x."""
    return reshape(values, (1, *values.shape, *(1,) * (x.ndim - 2)))
