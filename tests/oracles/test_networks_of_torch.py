"""The networks with the weights of PyTorch's: the same logits.

The networks of PyTorch are written here as torchvision writes them, so that the names of their
weights are those of its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import safetensors.numpy

import chainrule as cr
from chainrule import zoo
from chainrule.zoo.network import Network

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn


class Block(nn.Module):  # type: ignore[misc, name-defined]
    """A basic block, or a bottleneck."""

    def __init__(self, inputs: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        sizes = (1, 3, 1) if bottleneck else (3, 3)
        channels = (inputs, *(width for _ in sizes[1:]), outputs)
        for i, size in enumerate(sizes):
            step = stride if i == (1 if bottleneck else 0) else 1
            conv = nn.Conv2d(
                channels[i], channels[i + 1], size, stride=step, padding=size // 2, bias=False
            )
            setattr(self, f"conv{i + 1}", conv)
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(channels[i + 1]))
        self.count = len(sizes)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Any) -> Any:
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = y.relu() if i < self.count else y
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self, blocks: Sequence[int], *, bottleneck: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = 64
        for i, (width, number) in enumerate(zip((64, 128, 256, 512), blocks, strict=True)):
            layers = []
            for j in range(number):
                stride = 2 if i and not j else 1
                layers.append(Block(inputs, width, stride, bottleneck=bottleneck))
                inputs = 4 * width if bottleneck else width
            setattr(self, f"layer{i + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, 7)

    def forward(self, x: Any) -> Any:
        y = self.pool(self.bn1(self.conv1(x)).relu())
        for i in range(1, 5):
            y = getattr(self, f"layer{i}")(y)
        return self.fc(y.mean((2, 3)))


class VGG(nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self, convolutions: Sequence[int], *, normalised: bool) -> None:
        super().__init__()
        layers: list[Any] = []
        inputs = 3
        for width, number in zip((64, 128, 256, 512, 512), convolutions, strict=True):
            for _ in range(number):
                layers.append(nn.Conv2d(inputs, width, 3, padding=1))
                layers.extend([nn.BatchNorm2d(width)] if normalised else [])
                layers.append(nn.ReLU())
                inputs = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(25088, 4096), nn.ReLU(), nn.Dropout(),
            nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 7),
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


PAIRS: dict[str, tuple[Network, Any]] = {
    "resnet18": (zoo.resnet18(classes=7), lambda: ResNet((2, 2, 2, 2), bottleneck=False)),
    "resnet34": (zoo.resnet34(classes=7), lambda: ResNet((3, 4, 6, 3), bottleneck=False)),
    "resnet50": (zoo.resnet50(classes=7), lambda: ResNet((3, 4, 6, 3), bottleneck=True)),
    "vgg11": (zoo.vgg11(classes=7), lambda: VGG((1, 1, 2, 2, 2), normalised=False)),
    "vgg16": (zoo.vgg16(classes=7), lambda: VGG((2, 2, 3, 3, 3), normalised=False)),
    "vgg11 normalised": (
        zoo.vgg11(batch_norm=True, classes=7), lambda: VGG((1, 1, 2, 2, 2), normalised=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("target", ["numpy", "llvm"])
@pytest.mark.parametrize("name", PAIRS)
def test_weights_of_pytorch_give_its_logits(name: str, target: str, tmp_path: Path) -> None:
    model, declare = PAIRS[name]
    torch.manual_seed(0)
    theirs = declare()
    with torch.no_grad():
        for module in theirs.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
    images = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    wanted: npt.NDArray[np.float32] = theirs.eval()(torch.tensor(images)).detach().numpy()

    weights = {key: value.numpy() for key, value in theirs.state_dict().items()}
    safetensors.numpy.save_file(weights, tmp_path / "weights.safetensors")
    state = model.load(tmp_path / "weights.safetensors", names="torchvision")
    logits = cr.compile(model(cr.input("x", ("batch", 3, 64, 64))), target=target)
    found = np.asarray(logits.bind(state)(x=images))
    np.testing.assert_allclose(found, wanted, atol=1e-4 * float(np.abs(wanted).max()))
