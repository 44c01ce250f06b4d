"""Residual networks for images of 32 × 32."""

from __future__ import annotations

from chainc.ir import Node
from chainc.ops import pad
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

WIDTHS = (16, 32, 64)  # of the three stages


class Block(Module):
    """Two convolutions beside a shortcut without parameters.

    Where the channels double, the shortcut takes every other pixel, and the new channels are 0.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.new_channels = width - inputs
        self.stride = 1 if width == inputs else 2
        self.conv1 = Conv2d(inputs, width, 3, stride=self.stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.relu = ReLU()

    def forward(self, x: Node) -> Node:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self._shortcut(x))

    def _shortcut(self, x: Node) -> Node:
        if self.stride == 1:
            return x
        before = self.new_channels // 2
        widths = [(0, 0), (before, self.new_channels - before), (0, 0), (0, 0)]
        return pad(x[:, :, :: self.stride, :: self.stride], widths)


class CifarResNet(Network):
    """See `resnet20`."""

    def __init__(self, blocks: int, classes: int, name: str | None) -> None:
        super().__init__(3, 32, 32, name)
        self.conv1 = Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = BatchNorm2d(16)
        self.relu = ReLU()
        self.layer1, self.layer2, self.layer3 = (
            Sequential(Block(inputs, width), *(Block(width, width) for _ in range(blocks - 1)))
            for inputs, width in zip((16, *WIDTHS), WIDTHS, strict=False)
        )
        self.avgpool = GlobalAvgPool2d()
        self.flatten = Flatten()
        self.fc = Linear(64, classes)

    def forward(self, x: Node) -> Node:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.layer3(self.layer2(self.layer1(y)))
        return self.fc(self.flatten(self.avgpool(y)))


def resnet20(classes: int = 10, name: str | None = None) -> CifarResNet:
    """Nine blocks of two convolutions (He et al. 2016): 269,722 parameters, 3 × 32 × 32.

    Raises:
        InputError: `classes` is no positive whole number.
    """
    return CifarResNet(3, classes_of("resnet20", classes), name)


def resnet32(classes: int = 10, name: str | None = None) -> CifarResNet:
    """`resnet20` with 15 blocks: 464,154 parameters."""
    return CifarResNet(5, classes_of("resnet32", classes), name)


def resnet56(classes: int = 10, name: str | None = None) -> CifarResNet:
    """`resnet20` with 27 blocks: 853,018 parameters."""
    return CifarResNet(9, classes_of("resnet56", classes), name)
