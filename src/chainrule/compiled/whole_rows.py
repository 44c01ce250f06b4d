"""Outputs that only all rows at once give: roots, largest elements, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from chainc import driver, ir
from chainc.backends.epochs import Epochs
from chainc.ir.types import Array
from chainrule.evaluation.values import Floats, sizes_from

LOSS = 0  # its place among the outputs of a training


class WholeRows:
    """Computes what the batches' means do not give.

    Attributes:
        places: of these among the outputs of the evaluation.
    """

    def __init__(self, compiled: driver.CompiledTraining) -> None:
        means = compiled.signature.means
        self.places = tuple(place for place, is_mean in enumerate(means) if not is_mean)
        self._evaluation = compiled.declared.evaluation
        self._passes = compiled.declared.passes
        self._target = compiled.target

    @cached_property
    def _compiled(self) -> driver.CompiledFunction:
        outputs = tuple(self._evaluation.outputs[place] for place in self.places)
        return driver.compile_function(ir.Graph(outputs), self._passes, self._target)

    def concern(self, *, held_out: bool) -> bool:
        """Must a run stop after each epoch for them? The loss of an epoch is that of its steps."""
        return bool(self.places) and (held_out or self.places != (LOSS,))

    def evaluated(
        self, means: Array, data: Mapping[str, Array], state: Mapping[str, Array]
    ) -> Floats:
        """The outputs over all rows, given the means of the batches."""
        corrected = np.array(means, np.float64)
        if self.places:
            corrected[list(self.places)] = self._values(data, state)
        return corrected

    def after_epoch(
        self,
        finished: Epochs,
        data: Mapping[str, Array],
        held_out: Mapping[str, Array] | None,
        state: Mapping[str, Array],
    ) -> Epochs:
        """One epoch with its metrics as they are over all rows, after its last step."""
        means, validation = finished.means[0], finished.validation
        over_all = means if self.places == (LOSS,) else self.evaluated(means, data, state)
        over_all = np.concatenate([means[: LOSS + 1], over_all[LOSS + 1 :]])
        if held_out is not None and validation is not None:
            validation = self.evaluated(validation[0], held_out, state)[None]
        return replace(finished, means=over_all[None], validation=validation)

    def _values(self, data: Mapping[str, Array], state: Mapping[str, Array]) -> Floats:
        signature = self._compiled.signature
        sizes = sizes_from(self._evaluation, data)
        run = self._compiled.executable.bind(state, *(sizes[name] for name in signature.size_names))
        types = {node.op.label: node.dtype.numpy for node in self._evaluation.leaves("input")}
        given = [data[key].astype(types[key], copy=False) for key in signature.inputs]
        return np.array([float(value) for value in run(*given)])
