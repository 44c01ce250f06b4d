"""VGG: many small kernels, one after another."""

from __future__ import annotations

from collections.abc import Iterator

from chainc.ir import Node
from chainc.ops.movement import as_flag
from chainrule.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from chainrule.zoo.network import Network, classes_of

CHANNELS = (64, 128, 256, 512, 512)  # of the five blocks


class VGG(Network):
    """See `vgg16`."""

    def __init__(
        self, convolutions: tuple[int, ...], batch_norm: bool, classes: int, name: str | None
    ) -> None:
        super().__init__(3, 224, 224, name)
        self.features = Sequential(*_blocks(convolutions, batch_norm))
        self.avgpool = AdaptiveAvgPool2d(7)
        self.flatten = Flatten()
        self.classifier = Sequential(
            Linear(512 * 7 * 7, 4096), ReLU(), Dropout(0.5),
            Linear(4096, 4096), ReLU(), Dropout(0.5), Linear(4096, classes),
        )  # fmt: skip

    def forward(self, x: Node) -> Node:
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


def _blocks(convolutions: tuple[int, ...], batch_norm: bool) -> Iterator[Module]:
    inputs = 3
    for outputs, number in zip(CHANNELS, convolutions, strict=True):
        for _ in range(number):
            yield Conv2d(inputs, outputs, 3, padding=1)
            if batch_norm:
                yield BatchNorm2d(outputs)
            yield ReLU()
            inputs = outputs
        yield MaxPool2d(2)


def _vgg(
    function: str, convolutions: tuple[int, ...], batch_norm: bool, classes: int, name: str | None
) -> VGG:
    normalised = as_flag(f"zoo.{function}", "batch_norm", batch_norm)
    return VGG(convolutions, normalised, classes_of(function, classes), name)


def vgg11(batch_norm: bool = False, classes: int = 1000, name: str | None = None) -> VGG:
    """`vgg16` with 8 convolutions: 132,863,336 parameters."""
    return _vgg("vgg11", (1, 1, 2, 2, 2), batch_norm, classes, name)


def vgg13(batch_norm: bool = False, classes: int = 1000, name: str | None = None) -> VGG:
    """`vgg16` with 10 convolutions: 133,047,848 parameters."""
    return _vgg("vgg13", (2, 2, 2, 2, 2), batch_norm, classes, name)


def vgg16(batch_norm: bool = False, classes: int = 1000, name: str | None = None) -> VGG:
    """13 convolutions and 3 linear layers (Simonyan, Zisserman 2015): 138,357,544 parameters.

    Images are 3 × 224 × 224; others of at least 32 × 32 are taken too, for the last pooling brings
    all to 7 × 7, as in torchvision.

    Args:
        batch_norm: normalise after each convolution.
        classes: of the last layer.
        name: the network's own part of its parameters' names.

    Raises:
        InputError: `classes` is no positive whole number, or `batch_norm` not True or False.
    """
    return _vgg("vgg16", (2, 2, 3, 3, 3), batch_norm, classes, name)


def vgg19(batch_norm: bool = False, classes: int = 1000, name: str | None = None) -> VGG:
    """`vgg16` with 16 convolutions: 143,667,240 parameters."""
    return _vgg("vgg19", (2, 2, 4, 4, 4), batch_norm, classes, name)
