"""U-Net: a class for each pixel."""

from __future__ import annotations

from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ops import concat
from chainrule.declare.arguments import count
from chainrule.nn import Conv2d, ConvTranspose2d, MaxPool2d, Module, ReLU, Sequential
from chainrule.zoo.network import Network, classes_of


class Level(Module):
    """Two convolutions around the level below, whose result is brought back to this size."""

    def __init__(self, inputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.down = _pair(inputs, width)
        self.pool = MaxPool2d(2) if depth else None
        self.below = Level(width, 2 * width, depth - 1) if depth else None
        self.up = ConvTranspose2d(2 * width, width, 2, stride=2) if depth else None
        self.merge = _pair(2 * width, width) if depth else None

    def forward(self, x: Node) -> Node:
        here = self.down(x)
        if self.pool is None or self.below is None or self.up is None or self.merge is None:
            return here
        return self.merge(concat([here, self.up(self.below(self.pool(here)))], axis=1))


def _pair(inputs: int, outputs: int) -> Sequential:
    return Sequential(
        Conv2d(inputs, outputs, 3, padding=1), ReLU(),
        Conv2d(outputs, outputs, 3, padding=1), ReLU(),
    )  # fmt: skip


class UNet(Network):
    """See `unet`."""

    def __init__(
        self, channels: int, size: int, width: int, depth: int, classes: int, name: str | None
    ) -> None:
        super().__init__(channels, size, size, name)
        self.levels = Level(channels, width, depth)
        self.classifier = Conv2d(width, classes, 1)

    def forward(self, x: Node) -> Node:
        return self.classifier(self.levels(x))


def unet(
    channels: int = 1,
    classes: int = 2,
    size: int = 64,
    width: int = 16,
    depth: int = 2,
    name: str | None = None,
) -> UNet:
    """U-Net (Ronneberger et al. 2015): logits (batch, classes, height, width) for each pixel.

    Each of `depth` levels halves the image and doubles the channels; what was seen at a size is put
    beside what comes back to it. The network of 2015 has width=64 and depth=4, 31,030,658
    parameters; its convolutions were not padded, so its result was smaller than the image.

    Args:
        channels: of the images.
        classes: of a pixel.
        size: height and width of the images, a multiple of 2^depth.
        width: channels of the first level.
        depth: levels below the first.
        name: the network's own part of its parameters' names.

    Raises:
        InputError: a number is too small, or the size cannot be halved so often.
    """
    hint = "give positive whole numbers, such as zoo.unet(channels=1, size=64)"
    planes = count("zoo.unet", "channels", channels, hint=hint)
    pixels = count("zoo.unet", "size", size, hint=hint)
    first = count("zoo.unet", "width", width, hint=hint)
    levels = count("zoo.unet", "depth", depth, hint=hint)
    if pixels % 2**levels:
        raise InputError(
            f"zoo.unet: images of {pixels} × {pixels} cannot be halved {levels} times",
            hint=f"choose a size that {2**levels} divides, or fewer levels",
        )
    return UNet(planes, pixels, first, levels, classes_of("unet", classes), name)
