"""Networks of the lectures, each declared in a line.

    model = zoo.resnet18()
    state = model.load("resnet18.safetensors", names="torchvision")
    predict = cr.compile(model(cr.input("x", ("batch", 3, 224, 224)))).bind(state)

Nothing is downloaded: weights come from a file. Images are (batch, channels, height, width).
"""

from chainrule.zoo.alexnet import alexnet
from chainrule.zoo.lenet import lenet5
from chainrule.zoo.mobilenet import mobilenet
from chainrule.zoo.resnet import resnet18, resnet34, resnet50
from chainrule.zoo.resnet_cifar import resnet20, resnet32, resnet56
from chainrule.zoo.unet import unet
from chainrule.zoo.vgg import vgg11, vgg13, vgg16, vgg19

__all__ = [
    "alexnet",
    "lenet5",
    "mobilenet",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet50",
    "resnet56",
    "unet",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
]


def __dir__() -> list[str]:
    return list(__all__)
