"""MobileNet: convolutions in two steps, each channel on its own and then across channels."""

from __future__ import annotations

from collections.abc import Iterator

from chainc.ir import Node
from chainrule.declare.arguments import count, number
from chainrule.nn import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    Module,
    ReLU,
    Sequential,
)
from chainrule.zoo.network import Network, classes_of

STEPS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    *((512, 1),) * 5, (1024, 2), (1024, 1),
)  # fmt: skip  # channels, and stride, of each pair of convolutions


class MobileNet(Network):
    """See `mobilenet`."""

    def __init__(self, width: float, size: int, classes: int, name: str | None) -> None:
        super().__init__(3, size, size, name)
        channels = [max(int(each * width), 1) for each in (32, *(each for each, _ in STEPS))]
        self.features = Sequential(*_layers(channels))
        self.avgpool = GlobalAvgPool2d()
        self.flatten = Flatten()
        self.classifier = Linear(channels[-1], classes)

    def forward(self, x: Node) -> Node:
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


def _layers(channels: list[int]) -> Iterator[Module]:
    yield Conv2d(3, channels[0], 3, stride=2, padding=1, bias=False)
    yield BatchNorm2d(channels[0])
    yield ReLU()
    for inputs, outputs, (_, stride) in zip(channels, channels[1:], STEPS, strict=False):
        yield Conv2d(inputs, inputs, 3, stride=stride, padding=1, groups=inputs, bias=False)
        yield BatchNorm2d(inputs)
        yield ReLU()
        yield Conv2d(inputs, outputs, 1, bias=False)
        yield BatchNorm2d(outputs)
        yield ReLU()


def mobilenet(
    width: float = 0.25, size: int = 128, classes: int = 1000, name: str | None = None
) -> MobileNet:
    """MobileNet (Howard et al. 2017), by default a small one of 470,072 parameters.

    With width=1.0 it has 4,231,976.

    Args:
        width: the share of the channels of the full network, above 0.
        size: height and width of the images.
        classes: of the last layer.
        name: the network's own part of its parameters' names.

    Raises:
        InputError: a number is too small, or none.
    """
    hint = "give the share of the channels, such as width=0.5"
    share = number("zoo.mobilenet", "width", width, above=0, hint=hint)
    pixels = count("zoo.mobilenet", "size", size, hint="give the pixels of a side, such as size=96")
    return MobileNet(share, pixels, classes_of("mobilenet", classes), name)
