"""LeNet-5."""

from __future__ import annotations

from chainc.ir import Node
from chainrule.nn import AvgPool2d, Conv2d, Flatten, Linear, ReLU, Sequential
from chainrule.zoo.network import Network, classes_of


class LeNet5(Network):
    """See `lenet5`."""

    def __init__(self, classes: int, name: str | None) -> None:
        super().__init__(1, 28, 28, name)
        self.features = Sequential(
            Conv2d(1, 6, 5, padding=2), ReLU(), AvgPool2d(2),
            Conv2d(6, 16, 5), ReLU(), AvgPool2d(2),
        )  # fmt: skip
        self.classifier = Sequential(
            Flatten(), Linear(400, 120), ReLU(), Linear(120, 84), ReLU(), Linear(84, classes)
        )

    def forward(self, x: Node) -> Node:
        return self.classifier(self.features(x))


def lenet5(classes: int = 10, name: str | None = None) -> LeNet5:
    """LeNet-5 as it is taught (LeCun et al. 1998): 61,706 parameters, images of 1 × 28 × 28.

    The second convolution reads all maps of the first, the activations are ReLU, and the last layer
    gives logits; in 1998 that convolution was sparse, and they were scaled tanh and distances.

    Raises:
        InputError: `classes` is no positive whole number.
    """
    return LeNet5(classes_of("lenet5", classes), name)
