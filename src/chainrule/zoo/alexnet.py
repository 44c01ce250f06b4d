"""AlexNet."""

from __future__ import annotations

from chainc.ir import Node
from chainrule.nn import Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential
from chainrule.zoo.network import Network, classes_of


class AlexNet(Network):
    """See `alexnet`."""

    def __init__(self, classes: int, name: str | None) -> None:
        super().__init__(3, 227, 227, name)
        self.features = Sequential(
            Conv2d(3, 96, 11, stride=4), ReLU(), MaxPool2d(3, stride=2),
            Conv2d(96, 256, 5, padding=2), ReLU(), MaxPool2d(3, stride=2),
            Conv2d(256, 384, 3, padding=1), ReLU(),
            Conv2d(384, 384, 3, padding=1), ReLU(),
            Conv2d(384, 256, 3, padding=1), ReLU(), MaxPool2d(3, stride=2),
        )  # fmt: skip
        self.classifier = Sequential(
            Flatten(), Dropout(0.5), Linear(9216, 4096), ReLU(),
            Dropout(0.5), Linear(4096, 4096), ReLU(), Linear(4096, classes),
        )  # fmt: skip

    def forward(self, x: Node) -> Node:
        return self.classifier(self.features(x))


def alexnet(classes: int = 1000, name: str | None = None) -> AlexNet:
    """AlexNet without groups (Krizhevsky et al. 2012): 62,378,344 parameters, 3 × 227 × 227.

    The network of 2012 splits three convolutions over two GPUs, which leaves 60,965,224;
    torchvision's has fewer channels. Local response normalisation is left out, as later work did.

    Raises:
        InputError: `classes` is no positive whole number.
    """
    return AlexNet(classes_of("alexnet", classes), name)
