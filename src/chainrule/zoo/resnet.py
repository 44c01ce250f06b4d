"""Residual networks for images of 224 × 224."""

from __future__ import annotations

from collections.abc import Iterator

from chainc.ir import Node
from chainrule.nn import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from chainrule.zoo.network import Network, classes_of

WIDTHS = (64, 128, 256, 512)  # of the four stages


class BasicBlock(Module):
    """Two convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.relu = ReLU()
        self.downsample = _downsample(inputs, width, stride)

    def forward(self, x: Node) -> Node:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + _shortcut(self.downsample, x))


class Bottleneck(Module):
    """A convolution between two of 1 × 1, which take a quarter of the channels and bring them back.

    Where it strides, the middle one does, as in torchvision; in He et al. 2016 it is the first.
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(inputs, width, 1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.conv3 = Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = BatchNorm2d(4 * width)
        self.relu = ReLU()
        self.downsample = _downsample(inputs, 4 * width, stride)

    def forward(self, x: Node) -> Node:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + _shortcut(self.downsample, x))


def _downsample(inputs: int, outputs: int, stride: int) -> Sequential | None:
    if inputs == outputs and stride == 1:
        return None
    return Sequential(Conv2d(inputs, outputs, 1, stride=stride, bias=False), BatchNorm2d(outputs))


def _shortcut(downsample: Sequential | None, x: Node) -> Node:
    return x if downsample is None else downsample(x)


class ResNet(Network):
    """See `resnet18`."""

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        blocks: tuple[int, ...],
        classes: int,
        name: str | None,
    ) -> None:
        super().__init__(3, 224, 224, name)
        self.conv1 = Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm2d(64)
        self.relu = ReLU()
        self.maxpool = MaxPool2d(3, stride=2, padding=1)
        self.layer1, self.layer2, self.layer3, self.layer4 = _stages(block, blocks)
        self.avgpool = GlobalAvgPool2d()
        self.flatten = Flatten()
        self.fc = Linear(512 * block.expansion, classes)

    def forward(self, x: Node) -> Node:
        y = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            y = stage(y)
        return self.fc(self.flatten(self.avgpool(y)))


def _stages(block: type[BasicBlock | Bottleneck], blocks: tuple[int, ...]) -> Iterator[Sequential]:
    inputs = 64
    for width, number in zip(WIDTHS, blocks, strict=True):
        stride = 1 if width == 64 else 2
        outputs = width * block.expansion
        first = block(inputs, width, stride)
        yield Sequential(first, *(block(outputs, width, 1) for _ in range(number - 1)))
        inputs = outputs


def resnet18(classes: int = 1000, name: str | None = None) -> ResNet:
    """Eight blocks of two convolutions (He et al. 2016): 11,689,512 parameters, 3 × 224 × 224.

    Raises:
        InputError: `classes` is no positive whole number.
    """
    return ResNet(BasicBlock, (2, 2, 2, 2), classes_of("resnet18", classes), name)


def resnet34(classes: int = 1000, name: str | None = None) -> ResNet:
    """`resnet18` with 16 blocks: 21,797,672 parameters."""
    return ResNet(BasicBlock, (3, 4, 6, 3), classes_of("resnet34", classes), name)


def resnet50(classes: int = 1000, name: str | None = None) -> ResNet:
    """`resnet18` with 16 bottlenecks of three convolutions: 25,557,032 parameters."""
    return ResNet(Bottleneck, (3, 4, 6, 3), classes_of("resnet50", classes), name)
