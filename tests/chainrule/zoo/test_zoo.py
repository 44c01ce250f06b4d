"""The networks: published counts, names and layouts of others' files, and what is refused."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from tests.legibility import problems

import chainrule as cr
from chainc.ir.types import static
from chainrule import zoo
from chainrule.zoo.network import Network, torch_names

# as published, and as torchvision has them where it has the network
PARAMETERS: dict[str, tuple[Callable[[], Network], int]] = {
    "lenet5": (zoo.lenet5, 61_706),
    "alexnet": (zoo.alexnet, 62_378_344),
    "vgg11": (zoo.vgg11, 132_863_336),
    "vgg11 normalised": (lambda: zoo.vgg11(batch_norm=True), 132_868_840),
    "vgg13": (zoo.vgg13, 133_047_848),
    "vgg13 normalised": (lambda: zoo.vgg13(batch_norm=True), 133_053_736),
    "vgg16": (zoo.vgg16, 138_357_544),
    "vgg16 normalised": (lambda: zoo.vgg16(batch_norm=True), 138_365_992),
    "vgg19": (zoo.vgg19, 143_667_240),
    "vgg19 normalised": (lambda: zoo.vgg19(batch_norm=True), 143_678_248),
    "resnet18": (zoo.resnet18, 11_689_512),
    "resnet34": (zoo.resnet34, 21_797_672),
    "resnet50": (zoo.resnet50, 25_557_032),
    "resnet20": (zoo.resnet20, 269_722),
    "resnet32": (zoo.resnet32, 464_154),
    "resnet56": (zoo.resnet56, 853_018),
    "mobilenet": (lambda: zoo.mobilenet(width=1.0), 4_231_976),
    "unet": (lambda: zoo.unet(width=64, depth=4), 31_030_658),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_network_has_the_parameters_that_were_published(name: str) -> None:
    declare, wanted = PARAMETERS[name]
    start = time.process_time()
    model = declare()
    declared = time.process_time() - start
    assert model.summary(batch=1).total.parameters == wanted
    assert declared < 1


@pytest.mark.parametrize(
    ("model", "layers"),
    [(zoo.vgg11(), {"features", "conv2d1", "relu1"}), (zoo.unet(size=16, depth=1), {"classifier"})],
    ids=["vgg11", "unet"],
)
def test_a_network_is_drawn_with_its_layers_closed(model: Network, layers: set[str]) -> None:
    drawn = cr.draw(model(cr.input("image", model.input_shape())), detail="layers").svg()
    assert problems(drawn) == []
    assert layers <= set(re.findall(r">(\w+)<", drawn))


@pytest.mark.parametrize(
    ("model", "slots", "first", "last"),
    [
        (zoo.vgg11(), 22, "features.0.weight", "classifier.6.bias"),
        (zoo.vgg11(batch_norm=True), 54, "features.0.weight", "classifier.6.bias"),
        (zoo.resnet18(), 102, "conv1.weight", "fc.bias"),
    ],
)
def test_slots_have_the_names_that_torchvision_gives_them(
    model: Network, slots: int, first: str, last: str
) -> None:
    names = [name for name, _, _ in torch_names(model)]
    assert (len(names), names[0], names[-1]) == (slots, first, last)
    assert len(set(names)) == slots


def test_the_layers_of_a_residual_network_are_called_as_in_torchvision() -> None:
    names = {name for name, _, _ in torch_names(zoo.resnet50())}
    assert {
        "bn1.running_var", "layer1.0.conv3.weight", "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.running_mean", "layer4.2.bn3.bias",
    } <= names  # fmt: skip
    assert "layer1.1.downsample.0.weight" not in names


def written(model: Network, path: Path, **changed: np.ndarray) -> dict[str, np.ndarray]:
    """A file as PyTorch writes it: linear weights as (out, in), batches counted."""
    random = np.random.default_rng(0)
    tensors = {}
    for name, slot, transposed in torch_names(model):
        value = random.uniform(0.5, 1, static(slot.shape)).astype(np.float32)
        tensors[name] = np.ascontiguousarray(value.T) if transposed else value
    tensors["bn1.num_batches_tracked"] = np.array(3)
    safetensors.numpy.save_file({**tensors, **changed}, path)
    return tensors


def test_weights_of_torchvision_are_read_into_their_slots(tmp_path: Path) -> None:
    model = zoo.resnet20(classes=70)
    tensors = written(model, tmp_path / "weights.safetensors")
    state = model.load(tmp_path / "weights.safetensors", names="torchvision")
    assert set(state) == {str(slot.op.key) for slot in model.states()}  # type: ignore[attr-defined]
    assert np.array_equal(state[model.fc.weight], tensors["fc.weight"].T)
    assert np.array_equal(state[model.bn1.running_mean], tensors["bn1.running_mean"])
    x = np.ones((2, 3, 32, 32), np.float32)
    logits = cr.compile(model(cr.input("x", ("batch", 3, 32, 32)))).bind(state)(x=x)
    assert np.asarray(logits).shape == (2, 70)


def test_a_state_of_the_network_itself_is_read_too(tmp_path: Path) -> None:
    model = zoo.lenet5()
    state = cr.compile(model(cr.input("x", ("batch", 1, 28, 28)))).initial_state(seed=0)
    state.save(tmp_path / "own.safetensors")
    assert model.load(tmp_path / "own.safetensors") == state


def test_the_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    written(zoo.resnet20(), path)
    with pytest.raises(cr.StateError, match=r"another network: it has no 'layer1.3.bn1.bias'"):
        zoo.resnet32().load(path, names="torchvision")
    with pytest.raises(cr.StateError, match=r"'fc.weight' has the shape \[64,10\]"):
        zoo.resnet20(classes=5).load(path, names="torchvision")
    path.write_bytes(b"no tensors")
    with pytest.raises(cr.StateError, match=r"cannot read weights from .*weights.safetensors"):
        zoo.resnet20().load(path, names="torchvision")
    with pytest.raises(cr.StateError, match=r"cannot read weights from .*missing"):
        zoo.resnet20().load(tmp_path / "missing", names="torchvision")
    with pytest.raises(cr.InputError, match=r"names must be 'torchvision' or None"):
        zoo.resnet20().load(path, names="keras")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: zoo.vgg16(classes=0), r"zoo.vgg16: classes must be a whole number, at least 1"),
        (lambda: zoo.mobilenet(width=0), r"zoo.mobilenet: width must be .*above 0"),
        (lambda: zoo.unet(size=30, depth=2), r"images of 30 × 30 cannot be halved 2 times"),
    ],
)
def test_impossible_networks_are_refused(declare: Callable[[], Network], message: str) -> None:
    with pytest.raises(cr.InputError, match=message) as caught:
        declare()
    assert "test_zoo.py" in str(caught.value)


def test_a_class_for_each_pixel() -> None:
    model = zoo.unet(classes=3, size=16, width=4, depth=2)
    logits = cr.compile(model(cr.input("x", ("batch", 1, 16, 16))), target="numpy")
    state = logits.initial_state(seed=0)
    found = np.asarray(logits.bind(state)(x=np.zeros((2, 1, 16, 16), np.float32)))
    assert found.shape == (2, 3, 16, 16)
