"""The ops that PyTorch has too: its name, and the same call here.

A translation takes PyTorch's arguments, with nodes for tensors. An argument that it does not name
does not exist here, and a sample that gives it is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import chainrule as cr
from chainc.ir.types import product

Translation = Callable[..., cr.Node]
Dim = int | Sequence[int] | None


def swapped(function: Callable[[Any, Any], cr.Node]) -> Translation:
    return lambda a, b: function(b, a)


def reduction(function: Callable[..., cr.Node]) -> Translation:
    def translation(input: cr.Node, dim: Dim = None, keepdim: bool = False) -> cr.Node:
        axis = None if isinstance(dim, Sequence) and not dim else dim  # none named: all of them
        return function(input, axis, keepdims=keepdim)

    return translation


def spread(function: Callable[..., cr.Node]) -> Translation:
    def translation(
        input: cr.Node,
        dim: Dim = None,
        *,
        unbiased: bool | None = None,
        correction: float | None = None,
        keepdim: bool = False,
    ) -> cr.Node:
        bessel = 1.0 if unbiased is None else float(unbiased)
        axis = None if isinstance(dim, Sequence) and not dim else dim
        return function(input, axis, bessel if correction is None else correction, keepdim)

    return translation


def position(function: Callable[[Any, int], cr.Node]) -> Translation:
    def translation(input: cr.Node, dim: int | None = None, keepdim: bool = False) -> cr.Node:
        if dim is None:
            found = function(cr.reshape(input, (-1,)), 0)
            return cr.reshape(found, (1,) * input.ndim) if keepdim else found
        found = function(input, dim)
        return cr.expand_dims(found, dim) if keepdim else found

    return translation


def chosen(function: Callable[..., cr.Node]) -> Translation:
    def translation(input: cr.Node, dim: int, keepdim: bool = False) -> cr.Node:
        return function(input, dim, keepdims=keepdim)

    return translation


def loss(function: Callable[[cr.Node, cr.Node], cr.Node]) -> Translation:
    def translation(input: cr.Node, target: cr.Node, reduction: str = "mean") -> cr.Node:
        if reduction != "mean":
            raise NotImplementedError("every loss here is a mean")
        return function(input, target)

    return translation


def cross_entropy(input: cr.Node, target: cr.Node, reduction: str = "mean") -> cr.Node:
    """PyTorch's classes are on axis 1, here they are on the last."""
    if target.type.dtype.is_float:
        raise NotImplementedError("labels are class numbers here")
    axes = list(range(input.ndim))
    logits = cr.permute_dims(input, [*axes[:1], *axes[2:], *axes[1:2]])
    return loss(cr.losses.cross_entropy)(logits, target, reduction)


def softplus(input: cr.Node, beta: float = 1.0, threshold: float = 20.0) -> cr.Node:
    """Beyond the threshold PyTorch takes the identity, as ours rounds to beyond 20."""
    if threshold < 20:
        return cr.where(threshold < beta * input, input, cr.softplus(beta * input) / beta)
    return cr.softplus(beta * input) / beta


def add(input: Any, other: Any, alpha: float = 1) -> cr.Node:
    return cr.add(input, other if alpha == 1 else cr.multiply(alpha, other))


def subtract(input: Any, other: Any, alpha: float = 1) -> cr.Node:
    return cr.subtract(input, other if alpha == 1 else cr.multiply(alpha, other))


def rsub(input: Any, other: Any, alpha: float = 1) -> cr.Node:
    return subtract(other, input, alpha)


def clamp(input: Any, min: Any = None, max: Any = None) -> cr.Node:
    raised = input if min is None else cr.maximum(min, input)
    return raised if max is None else cr.minimum(max, raised)


def softmax(input: cr.Node, dim: int) -> cr.Node:
    return cr.softmax(input, dim)


def log_softmax(input: cr.Node, dim: int) -> cr.Node:
    return cr.log_softmax(input, dim)


def elu(input: cr.Node, alpha: float = 1.0) -> cr.Node:
    return cr.elu(input, alpha)


def leaky_relu(input: cr.Node, negative_slope: float = 0.01) -> cr.Node:
    return cr.leaky_relu(input, negative_slope)


def gelu(input: cr.Node, approximate: str = "none") -> cr.Node:
    return cr.gelu(input, approximate)


def einsum(operands: Sequence[cr.Node], equation: str) -> cr.Node:
    if len(operands) != 2:
        raise NotImplementedError("two operands here")
    return cr.einsum(equation, *operands)


def linear(input: cr.Node, weight: cr.Node, bias: cr.Node | None = None) -> cr.Node:
    if bias is None or weight.ndim < 2:
        return input @ (cr.matrix_transpose(weight) if weight.ndim == 2 else weight)
    return cr.linear(input, cr.matrix_transpose(weight), bias)


def addmm(input: cr.Node, a: cr.Node, b: cr.Node, beta: float = 1, alpha: float = 1) -> cr.Node:
    return beta * input + alpha * (a @ b)


def where(input: cr.Node, condition: cr.Node, other: cr.Node) -> cr.Node:
    return cr.where(condition, input, other)


def permute(input: cr.Node, dims: Sequence[int]) -> cr.Node:
    return cr.permute_dims(input, dims)


def transpose(input: cr.Node, dim0: int, dim1: int) -> cr.Node:
    axes = list(range(input.ndim))
    if axes:
        axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return cr.permute_dims(input, axes)


def expand(input: cr.Node, *shape: Any) -> cr.Node:
    sizes = shape[0] if isinstance(shape[0], (tuple, list)) else shape
    padded = (1,) * (len(sizes) - input.ndim) + input.shape
    kept = [old if size == -1 else size for size, old in zip(sizes, padded, strict=True)]
    return cr.broadcast_to(input, kept)


def reshape(input: cr.Node, *shape: Any) -> cr.Node:
    return cr.reshape(input, shape[0] if isinstance(shape[0], (tuple, list)) else shape)


def flatten(input: cr.Node, start_dim: int = 0, end_dim: int = -1) -> cr.Node:
    if not input.ndim:
        return cr.reshape(input, (1,))
    first, last = start_dim % input.ndim, end_dim % input.ndim
    size = product(input.shape[first : last + 1])
    return cr.reshape(input, (*input.shape[:first], size, *input.shape[last + 1 :]))


def unsqueeze(input: cr.Node, dim: int) -> cr.Node:
    return cr.expand_dims(input, dim)


def squeeze(input: cr.Node, dim: Dim = None) -> cr.Node:
    """PyTorch leaves an axis alone whose size is not 1."""
    named = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    return cr.squeeze(input, [axis for axis in named if input.ndim and input.shape[axis] == 1])


def flip(input: cr.Node, dims: Dim) -> cr.Node:
    return cr.flip(input, dims)


def joined(function: Callable[[Any, int], cr.Node]) -> Translation:
    return lambda tensors, dim=0: function(tensors, dim)


def pad(input: cr.Node, pad: Sequence[int], mode: str = "constant", value: Any = None) -> cr.Node:
    """PyTorch names the last axis first, and cuts where a width is negative."""
    if mode != "constant" or min(pad, default=0) < 0:
        raise NotImplementedError("numbers added, none taken away")
    pairs = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    return cr.pad(input, [(0, 0)] * (input.ndim - len(pairs)) + pairs, value or 0.0)


def narrow(input: cr.Node, dim: int, start: int | cr.Node, length: int) -> cr.Node:
    if isinstance(start, cr.Node):
        raise NotImplementedError("where a slice starts is no matter of the data here")
    size = input.shape[dim]
    first = start % size if isinstance(size, int) and size else start
    return getitem(input, (*[slice(None)] * (dim % input.ndim), slice(first, first + length)))


def select(input: cr.Node, dim: int, index: int) -> cr.Node:
    return getitem(input, (*[slice(None)] * (dim % input.ndim), index))


def getitem(input: cr.Node, key: Any) -> cr.Node:
    parts = key if isinstance(key, tuple) else (key,)
    basic = (int, slice, type(...), type(None))
    if any(isinstance(part, bool) or not isinstance(part, basic) for part in parts):
        raise NotImplementedError("integers, slices, ... and None")
    return input[parts]


def index_select(input: cr.Node, dim: int, index: cr.Node) -> cr.Node:
    return cr.take(input, cr.reshape(index, (-1,)), dim)


def embedding(weight: cr.Node, input: cr.Node) -> cr.Node:
    return cr.take(weight, input, 0)


def index_add(
    input: cr.Node, dim: int, index: cr.Node, source: cr.Node, alpha: float = 1
) -> cr.Node:
    return cr.scatter_add(input, cr.reshape(index, (-1,)), alpha * source, dim)


def one_hot(input: cr.Node, num_classes: int = -1) -> cr.Node:
    if num_classes < 0:
        raise NotImplementedError("the depth is no matter of the data here")
    return cr.one_hot(input, num_classes, "int64")


def converted(dtype: str) -> Translation:
    return lambda x: cr.astype(x, dtype)


POINTWISE: Mapping[str, Translation] = {
    **{name: getattr(cr, name) for name in (
        "abs", "cos", "erf", "exp", "expm1", "floor", "log", "log1p", "reciprocal", "sigmoid",
        "sign", "sin", "sqrt", "square", "tanh", "logical_not",
    )},
    **{name: getattr(cr, name) for name in (
        "floor_divide", "maximum", "minimum", "pow", "remainder", "logical_and", "logical_or",
    )},
    "add": add, "sub": subtract, "rsub": rsub,
    "mul": cr.multiply, "neg": cr.negative,
    "div.no_rounding_mode": cr.divide,
    "__radd__": swapped(cr.add), "__rsub__": swapped(cr.subtract),
    "__rmul__": swapped(cr.multiply), "__rdiv__": swapped(cr.divide),
    "__rpow__": swapped(cr.pow), "__rmod__": swapped(cr.remainder),
    "max.binary": cr.maximum, "min.binary": cr.minimum,
    "true_divide": cr.divide, "clamp": clamp,
    "eq": cr.equal, "ne": cr.not_equal, "lt": cr.less,
    "le": cr.less_equal, "gt": cr.greater, "ge": cr.greater_equal,
    "where": where, "float": converted("float32"), "double": converted("float64"),
    "int": converted("int32"), "long": converted("int64"), "byte": converted("uint8"),
    "bool": converted("bool"),
}  # fmt: skip

ACTIVATIONS: Mapping[str, Translation] = {
    "nn.functional.relu": cr.relu,
    "nn.functional.softplus": softplus,
    "nn.functional.logsigmoid": lambda x: -cr.softplus(-x),
    "nn.functional.silu": cr.silu,
    "nn.functional.softsign": lambda x: x / (1 + cr.abs(x)),
    "nn.functional.tanhshrink": lambda x: x - cr.tanh(x),
    "nn.functional.elu": elu,
    "nn.functional.leaky_relu": leaky_relu,
    "nn.functional.gelu": gelu,
    "nn.functional.softmin": lambda x, dim: cr.softmax(-x, dim),
    "softmax": softmax,
    "log_softmax": log_softmax,
}

REDUCTIONS: Mapping[str, Translation] = {
    **{name: reduction(getattr(cr, name)) for name in ("sum", "mean", "prod", "logsumexp")},
    "amax": reduction(cr.max), "amin": reduction(cr.min),
    "max.reduction_no_dim": cr.max,
    "min.reduction_no_dim": cr.min,
    "max.reduction_with_dim": chosen(cr.max), "min.reduction_with_dim": chosen(cr.min),
    "var": spread(cr.var), "std": spread(cr.std),
    "argmax": position(cr.argmax), "argmin": position(cr.argmin),
}  # fmt: skip

PRODUCTS: Mapping[str, Translation] = {
    "matmul": cr.matmul, "mv": cr.matmul, "dot": cr.matmul, "mm": cr.matmul, "bmm": cr.matmul,
    "__rmatmul__": swapped(cr.matmul),
    "outer": cr.outer,
    "addmm": addmm, "addmv": addmm, "baddbmm": addmm,
    "einsum": einsum, "nn.functional.linear": linear,
}  # fmt: skip

SHAPES: Mapping[str, Translation] = {
    "reshape": reshape, "view": reshape, "flatten": flatten,
    "ravel": lambda x: cr.reshape(x, (-1,)),
    "permute": permute, "transpose": transpose,
    "t": lambda x: transpose(x, 0, 1) if x.ndim == 2 else x,
    "unsqueeze": unsqueeze, "squeeze": squeeze, "squeeze.multiple": squeeze,
    "expand": expand, "broadcast_to": expand, "flip": flip,
    "cat": joined(cr.concat), "stack": joined(cr.stack),
    "nn.functional.pad.constant": pad,
    "constant_pad_nd": lambda x, widths, value=0.0: pad(x, widths, value=value),
    "narrow": narrow, "select": select, "__getitem__": getitem,
}  # fmt: skip

INDICES: Mapping[str, Translation] = {
    "index_select": index_select, "index_add": index_add, "nn.functional.embedding": embedding,
    "nn.functional.one_hot": one_hot,
}  # fmt: skip

LOSSES: Mapping[str, Translation] = {
    "nn.functional.cross_entropy": cross_entropy,
    "nn.functional.binary_cross_entropy_with_logits": loss(cr.losses.binary_cross_entropy),
    "nn.functional.mse_loss": loss(cr.losses.squared_error),
    "nn.functional.l1_loss": loss(cr.losses.absolute_error),
}

TRANSLATIONS: Mapping[str, Translation] = {
    **POINTWISE, **ACTIVATIONS, **REDUCTIONS, **PRODUCTS, **SHAPES, **INDICES, **LOSSES,
}  # fmt: skip
