"""What convolution and pooling share: images, the numbers of a sliding window, and padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir import Node, Operand, current_origin, describe
from chainc.ir.errors import DTypeError, InputError, ShapeError
from chainc.ir.leaves import as_nodes
from chainc.ir.types import format_shape, static
from chainc.ops import pad, window
from chainc.ops.movement import whole
from chainc.ops.parts.window import Sliding
from chainrule.declare.arguments import LARGEST, is_one_of, shown

Numbers = int | Sequence[int]  # the same for each axis, or one an axis
Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]
Pair = tuple[int, int]

LAYOUTS = {1: "NCL", 2: "NCHW", 3: "NCDHW"}
AXES = {1: "length", 2: "height,width", 3: "depth,height,width"}
WORDS = ("same", "valid")


@dataclass(frozen=True)
class Geometry:
    """How windows slide over images, and what is put around these.

    Attributes:
        title: the function or layer, for messages.
        slides: one an axis of an image.
        padding: elements before and after each axis.
    """

    title: str
    slides: tuple[Sliding, ...]
    padding: tuple[Pair, ...]

    @property
    def rank(self) -> int:
        return len(self.slides)

    @property
    def taps(self) -> tuple[int, ...]:
        return tuple(slide.taps for slide in self.slides)

    @property
    def has_border(self) -> bool:
        return any(map(any, self.padding))

    @property
    def border(self) -> str:
        """`1+1, 0+2`: what is before and after each axis."""
        return ", ".join(f"{low}+{high}" for low, high in self.padding)

    def called(self, title: str) -> Geometry:
        """The same for another function or layer."""
        return replace(self, title=title)

    def shown(self, *, stride: tuple[int, ...]) -> str:
        """`3, padding=1`: the size, and what differs from this stride and the other defaults."""
        strides = tuple(slide.stride for slide in self.slides)
        dilations = tuple(slide.dilation for slide in self.slides)
        sides = [low if low == high else (low, high) for low, high in self.padding]
        told = {"stride": (strides, stride), "padding": (sides, [0] * self.rank)}
        told["dilation"] = (dilations, (1,) * self.rank)
        others = [f"{name}={_short(each)}" for name, (each, usual) in told.items() if each != usual]
        return ", ".join([_short(self.taps), *others])

    def padded(self, x: Node, value: float = 0.0) -> Node:
        """The images with their border.

        Raises:
            ShapeError: a window is larger than such an image.
        """
        sizes = static(x.shape[-self.rank :])
        for size, (low, high), slide in zip(sizes, self.padding, self.slides, strict=True):
            if low + size + high < slide.span:
                raise misfit(
                    self.title,
                    x,
                    f"a window of {times(slide.span for slide in self.slides)} is larger than "
                    f"images of {times(sizes)}"
                    + (f" with padding {self.border}" if self.has_border else ""),
                    "choose a smaller window or dilation, or more padding",
                )
        if not self.has_border:
            return x
        return pad(x, [*[(0, 0)] * (x.ndim - self.rank), *self.padding], value)

    def windows(self, x: Node, value: float = 0.0) -> Node:
        """Every window of the padded images: their taps are the last axes."""
        axes = tuple(range(x.ndim - self.rank, x.ndim))
        strides = [slide.stride for slide in self.slides]
        dilations = [slide.dilation for slide in self.slides]
        return window(self.padded(x, value), self.taps, axes, strides, dilations)


def _short(numbers: Sequence[object]) -> str:
    """`3` for (3, 3)."""
    return str(numbers[0] if len(set(numbers)) == 1 else tuple(numbers))


def times(numbers: Iterable[int]) -> str:
    """`3 × 3`."""
    return " × ".join(map(str, numbers))


def geometry(
    title: str,
    rank: int,
    size: object,
    stride: object = 1,
    padding: object = 0,
    dilation: object = 1,
) -> Geometry:
    """The numbers of a sliding window, one an axis.

    Raises:
        InputError: a number is none or too small, or padding "same" meets a stride.
    """
    sizes = numbers(title, "size", size, rank)
    strides = numbers(title, "stride", stride, rank)
    dilations = numbers(title, "dilation", dilation, rank)
    rows = zip(sizes, strides, dilations, strict=True)
    slides = tuple(Sliding(*row) for row in rows)
    return Geometry(title, slides, _padding(title, padding, slides))


def numbers(
    title: str, name: str, given: object, rank: int, *, at_least: int = 1
) -> tuple[int, ...]:
    """A whole number for each axis, from one for all or from a list.

    Raises:
        InputError: it is neither.
    """
    found = _whole_numbers(given, rank, at_least)
    if found is not None:
        return found
    example = (at_least + 1,) * rank
    raise InputError(
        f"{title}: {name} must be a whole number, at least {at_least}, or {rank} of them, "
        f"got {shown(given)}",
        hint=f"give {name}={at_least + 1}" + (f" or {name}={example}" if rank > 1 else ""),
    )


def _whole_numbers(given: object, count: int, at_least: int) -> tuple[int, ...] | None:
    listed = list(given) if isinstance(given, list | tuple) else [given] * count
    found = [None if isinstance(each, bool) else whole(each) for each in listed]
    fitting = [each for each in found if each is not None and at_least <= each <= LARGEST]
    return tuple(fitting) if len(fitting) == len(listed) == count else None


def _padding(title: str, given: object, slides: Sequence[Sliding]) -> tuple[Pair, ...]:
    if is_one_of(given, WORDS):
        return _same(title, slides) if given == "same" else ((0, 0),) * len(slides)
    found = _whole_numbers(given, len(slides), 0)
    if found is not None:
        return tuple((each, each) for each in found)
    listed = list(given) if isinstance(given, list | tuple) else []
    pairs = [_pair(each) for each in listed]
    fitting = [pair for pair in pairs if pair is not None]
    if len(fitting) == len(listed) == len(slides):
        return tuple(fitting)
    raise InputError(
        f"{title}: padding must be a number, {len(slides)} of them, {len(slides)} pairs "
        f'(before, after), "same" or "valid", got {shown(given)}',
        hint='give padding=1 or padding="same"',
    )


def _pair(given: object) -> Pair | None:
    if not isinstance(given, list | tuple):
        return None
    found = _whole_numbers(given, 2, 0)
    return None if found is None else (found[0], found[1])


def _same(title: str, slides: Sequence[Sliding]) -> tuple[Pair, ...]:
    """As many elements as the window is wider than 1; the odd one at the end, as in PyTorch."""
    strides = tuple(slide.stride for slide in slides)
    if set(strides) != {1}:
        raise InputError(
            f'{title}: padding "same" keeps the size of an image, which a stride of '
            f"{times(strides)} does not",
            hint="give numbers: padding=(size - 1) // 2 leaves one position for every stride",
        )
    return tuple(((slide.span - 1) // 2, slide.span // 2) for slide in slides)


def images(title: str, x: Operand, rank: int) -> Node:
    """Images whose sizes are known: (batch, channels, height, width) for rank 2.

    Raises:
        ShapeError: they have another rank, or an axis that windows slide along a named size.
    """
    (node,) = as_nodes(x)
    wanted = f"images are {LAYOUTS[rank]}, [batch,channels,{AXES[rank]}]"
    if node.ndim != rank + 2:
        raise misfit(
            title,
            node,
            f"{wanted}, and {format_shape(node.shape)} has {node.ndim} axes",
            f'declare the input so, such as cr.input("x", ("batch", 3{", 32" * rank})), or '
            "give it the axes with cr.reshape",
        )
    if not all(isinstance(dim, int) for dim in node.shape[1:]):
        raise misfit(
            title,
            node,
            f"{format_shape(node.shape)} has a named size beside the batch",
            "declare the number of channels and the size of an image as numbers",
        )
    return node


def require_channels(title: str, x: Node, channels: int) -> None:
    """Refuse images with other channels.

    Raises:
        ShapeError: axis 1 has another size; the message knows images whose channels are last.
    """
    if x.shape[1] == channels:
        return
    rank = x.ndim - 2
    shape = format_shape(x.shape)
    if x.shape[-1] != channels:
        raise misfit(
            title,
            x,
            f"{shape} has {x.shape[1]} channels where {channels} are wanted",
            f"give images with {channels} channels, or change those of the kernel",
        )
    last = LAYOUTS[rank].replace("C", "") + "C"
    order = (0, rank + 1, *range(1, rank + 1))
    raise misfit(
        title,
        x,
        f"images are {LAYOUTS[rank]}, [batch,{channels},{AXES[rank]}], and {shape} looks like "
        f"{last}, with the channels last",
        f"bring the channels to axis 1 with cr.permute_dims(x, {order})",
    )


def require_float(title: str, x: Node) -> None:
    """Refuse integers and Booleans.

    Raises:
        DTypeError: x is not floating-point.
    """
    if not x.type.dtype.is_float:
        raise DTypeError(
            f"{title}: {describe(x)} is not floating-point",
            hint='convert it with cr.astype(x, "float32")',
        )


def misfit(title: str, x: Node, what: str, hint: str) -> ShapeError:
    """The error of images that do not fit, at the line that applies a function or layer to them."""
    where = f"{current_origin().location}\n         input: {describe(x)}"
    return ShapeError(f"{title}: {what}", where=where, hint=hint)
