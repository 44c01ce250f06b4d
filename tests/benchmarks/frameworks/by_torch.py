"""PyTorch: eager with a fused optimizer, and the whole step compiled by TorchInductor."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tests.benchmarks.workloads import BETAS, EPS, MOMENTUM, NORM_EPS, Data, Workload, weights_of


class TorchTrainer:
    """Gathers each batch by the given order, and calls the step."""

    compiled = False

    def __init__(self, workload: Workload, data: Data, threads: int) -> None:
        torch = import_module("torch")
        torch.set_num_threads(threads)
        self.versions = {"torch": torch.__version__}
        labels = data.y.astype("int64") if workload.loss == "cross_entropy" else data.y
        self.x, self.y = torch.tensor(data.x), torch.tensor(labels)
        self.batches = torch.tensor(data.order).split(workload.batch)
        network = _network(workload)
        self.step = (_compiled_step if self.compiled else _eager_step)(workload, network)

    def train(self, epochs: int) -> float:
        loss: Any = None
        for _ in range(epochs):
            for rows in self.batches:
                loss = self.step(self.x[rows], self.y[rows])
        return float(loss)


class CompiledTorchTrainer(TorchTrainer):
    """The same with `torch.compile`."""

    compiled = True


def _network(workload: Workload) -> Any:
    torch = import_module("torch")
    layers: list[Any] = []
    for number, (w, b) in enumerate(weights_of(workload)[: len(workload.layers)], start=1):
        linear = torch.nn.Linear(*w.shape, dtype=getattr(torch, workload.dtype))
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(w.T))
            linear.bias.copy_(torch.tensor(b))
        layers.append(linear)
        if number < len(workload.layers):
            layers += _between(workload, w.shape[1])
    return torch.nn.Sequential(*layers)


def _between(workload: Workload, width: int) -> list[Any]:
    """What follows a hidden layer's product."""
    nn = import_module("torch").nn
    dtype = getattr(import_module("torch"), workload.dtype)
    norm = [nn.BatchNorm1d(width, eps=NORM_EPS, dtype=dtype)] if workload.normalised else []
    activation = nn.ReLU() if workload.activation == "relu" else nn.Tanh()
    return [*norm, activation, *([nn.Dropout(workload.dropout)] if workload.dropout else [])]


def _loss(workload: Workload) -> Any:
    torch = import_module("torch")
    if workload.loss == "cross_entropy":
        return torch.nn.CrossEntropyLoss()
    return torch.nn.BCEWithLogitsLoss()


def _optimizer(workload: Workload, network: Any) -> Any:
    optim = import_module("torch").optim
    parameters = list(network.parameters())
    if workload.optimizer == "adam":
        return optim.Adam(parameters, workload.rate, BETAS, EPS, fused=True)
    momentum = MOMENTUM if workload.optimizer == "momentum" else 0
    return optim.SGD(parameters, workload.rate, momentum=momentum, fused=True)


def _eager_step(workload: Workload, network: Any) -> Callable[[Any, Any], Any]:
    criterion, optimizer = _loss(workload), _optimizer(workload, network)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(network(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _compiled_step(workload: Workload, network: Any) -> Callable[[Any, Any], Any]:
    torch = import_module("torch")
    criterion, optimizer = _loss(workload), _optimizer(workload, network)
    forward = torch.compile(lambda x, y: criterion(network(x), y))
    update = torch.compile(optimizer.step)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        update()
        return loss

    return step
