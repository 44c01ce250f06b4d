"""What a trainer declares and compiles, each once: the network, objectives, programs, functions."""

from __future__ import annotations

from chainc.backends.target import Target
from chainc.ir import Node
from chainc.ir.types import Array
from chainrule.compiled.compilation import compile
from chainrule.compiled.function import Function, Numbers
from chainrule.compiled.training import TrainingProgram
from chainrule.declare.leaves import input as declare_input
from chainrule.fitting.network import Model, Network, network_of
from chainrule.fitting.objective import Losses, Metrics, Objective, objective_of
from chainrule.fitting.parts import Parts
from chainrule.fitting.predictions import predictions, probabilities
from chainrule.fitting.streaming import Streaming
from chainrule.optim.optimizers.optimizer import Optimizer
from chainrule.steps.loop import training
from chainrule.steps.step import Step

Numbered = Function[tuple[Numbers, ...]]


class Declared:
    """Graphs and programs of one model, made when they are first asked for."""

    def __init__(
        self,
        model: Model,
        loss: Losses,
        optimizer: Optimizer,
        metrics: Metrics,
        target: str | Target,
        threads: int | None,
    ) -> None:
        self.model = model
        self.loss = loss
        self.network: Network | None = None
        self._optimizer = optimizer
        self._metrics = metrics
        self._target = target
        self._threads = threads
        self._objectives: dict[object, Objective] = {}
        self._steps: dict[Objective, Step] = {}
        self._streams: dict[Objective, Streaming] = {}
        self._programs: dict[object, TrainingProgram] = {}
        self._functions: dict[str, tuple[Parts[Node], Numbered]] = {}

    def network_over(self, x: Parts[Array]) -> Network:
        """The model over inputs as the first data had them."""
        if self.network is None:
            self.network = network_of(self.model, x)
        return self.network

    def objective(
        self, network: Network, y: Parts[Array], classes: Array | None, *, weighted: bool
    ) -> Objective:
        """Losses and metrics, over targets as the first data had them."""
        key = (None if classes is None else classes.tobytes(), weighted)
        if key not in self._objectives:
            outputs = network.outputs
            self._objectives[key] = self._objective_over(outputs, y, classes, weighted=weighted)
        return self._objectives[key]

    def _objective_over(
        self, outputs: Parts[Node], y: Parts[Array], classes: Array | None, *, weighted: bool
    ) -> Objective:
        return objective_of(
            outputs,
            y,
            self.loss,
            self._metrics,
            class_weights=classes,
            weighted_rows=weighted,
        )

    def streaming(
        self, network: Network, y: Parts[Array], classes: Array | None, *, weighted: bool
    ) -> Streaming:
        """The step and the metrics for batches as they come."""
        objective = self.objective(network, y, classes, weighted=weighted)
        if objective not in self._streams:
            names = network.outputs.named("output")
            inputs = network.outputs.with_values(
                {
                    key: declare_input(names[key], node.shape, node.type.dtype)
                    for key, node in network.outputs.by_name.items()
                }
            )
            measured = self._objective_over(inputs, y, classes, weighted=weighted)
            self._streams[objective] = Streaming(
                network, objective, self.step(objective), (inputs, measured), self._target
            )
        return self._streams[objective]

    def step(self, objective: Objective) -> Step:
        """What the optimizer makes of the loss."""
        if objective not in self._steps:
            self._steps[objective] = self._optimizer.minimize(objective.loss)
        return self._steps[objective]

    def program(
        self, objective: Objective, batch_size: int, *, shuffle: bool, seed: int
    ) -> TrainingProgram:
        """The loop around the step; runs say how many epochs."""
        key = (objective, batch_size, shuffle, seed)
        if key not in self._programs:
            declared = training(
                self.step(objective),
                epochs=1,
                batch_size=batch_size,
                shuffle=shuffle,
                seed=seed,
                metrics=objective.metrics,
            )
            self._programs[key] = compile(declared, target=self._target, threads=self._threads)
        return self._programs[key]

    def function(self, network: Network, of: str) -> tuple[Parts[Node], Numbered]:
        """What gives "predictions" or "probabilities" of rows, and the nodes that it computes."""
        if of not in self._functions:
            make = predictions if of == "predictions" else probabilities
            wanted = make(network.outputs, self.loss)
            compiled = compile(list(wanted.by_name.values()), target=self._target)
            self._functions[of] = wanted, compiled
        return self._functions[of]
