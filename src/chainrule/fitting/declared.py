"""What a trainer declares and compiles, each once: the network, objectives, programs, functions."""

from __future__ import annotations

import numpy as np

from chainc.backends.target import Target
from chainc.ir import Node
from chainc.ir.types import Array
from chainrule.compiled.compilation import compile
from chainrule.compiled.function import Function, Numbers
from chainrule.compiled.state import State
from chainrule.compiled.training import TrainingProgram
from chainrule.declare.leaves import input as declare_input
from chainrule.fitting.network import Model, Network, network_of
from chainrule.fitting.objective import Losses, Metrics, Objective, objective_of
from chainrule.fitting.parts import Parts, rows_in, rows_of
from chainrule.fitting.predictions import predictions, probabilities
from chainrule.fitting.rows import values_by_input
from chainrule.fitting.streaming import Streaming
from chainrule.optim.optimizers.minimizer import Minimizer
from chainrule.steps.loop import training
from chainrule.steps.step import Step
from chainrule.steps.stopping import StoppingRule

Numbered = Function[tuple[Numbers, ...]]
Predicted = Numbers | tuple[Numbers, ...] | dict[str, Numbers]

ROWS_AT_ONCE = 4096  # of which predictions are computed


class Declared:
    """Graphs and programs of one model, made when they are first asked for."""

    def __init__(
        self,
        model: Model,
        loss: Losses,
        optimizer: Minimizer,
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
        self,
        objective: Objective,
        batch_size: int,
        rules: tuple[StoppingRule, ...] = (),
        *,
        shuffle: bool,
        seed: int,
    ) -> TrainingProgram:
        """The loop around the step; runs say how many epochs at most."""
        key = (objective, batch_size, rules, shuffle, seed)
        if key not in self._programs:
            declared = training(
                self.step(objective),
                epochs=1,
                batch_size=batch_size,
                shuffle=shuffle,
                seed=seed,
                metrics=objective.metrics,
                stop=rules or None,
            )
            self._programs[key] = compile(declared, target=self._target, threads=self._threads)
        return self._programs[key]

    def computed(self, of: str, x: Parts[Array], state: State) -> Predicted:
        """The "predictions" or the "probabilities" of rows, some of them at a time."""
        network = self.network_over(x)
        wanted, compiled = self._function(network, of)
        function = compiled.bind(state) if compiled.slots else compiled
        found: list[tuple[Array, ...]] = []
        for start in range(0, max(rows_in(x), 1), ROWS_AT_ONCE):
            rows = rows_of(x, slice(start, start + ROWS_AT_ONCE))
            found.append(function(values_by_input(network.inputs, rows, "x")))
        arrays = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        return wanted.with_values(dict(zip(wanted.by_name, arrays, strict=True))).whole

    def _function(self, network: Network, of: str) -> tuple[Parts[Node], Numbered]:
        """What gives "predictions" or "probabilities" of rows, and the nodes that it computes."""
        if of not in self._functions:
            make = predictions if of == "predictions" else probabilities
            wanted = make(network.outputs, self.loss)
            compiled = compile(list(wanted.by_name.values()), target=self._target)
            self._functions[of] = wanted, compiled
        return self._functions[of]
