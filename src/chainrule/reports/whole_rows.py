"""Outputs that only all rows at once give, such as the largest element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from chainc import driver, ir
from chainc.backends.epochs import Epochs
from chainc.ir import describe
from chainc.ir.errors import GraphError
from chainc.ir.types import Array
from chainrule.evaluation.values import Floats, sizes_from
from chainrule.reports.columns import Columns


class WholeRows:
    """Computes what does not follow from batches.

    Attributes:
        places: of these among the outputs of the evaluation, all scalars.

    Raises:
        GraphError: an output that is no scalar does not follow from batches, or one that a rule
            reads.
    """

    def __init__(self, compiled: driver.CompiledTraining, columns: Columns, losses: int) -> None:
        """The first outputs are the losses, so many."""
        self.places = compiled.signature.whole
        self._losses = losses
        self._columns = columns
        self._evaluation = compiled.declared.evaluation
        self._passes = compiled.declared.passes
        self._target = compiled.target
        for place in self.places:
            output = self._evaluation.outputs[place]
            if output.shape != ():
                raise GraphError(
                    f"the metric {self._evaluation.names[place]!r} is no scalar, and does not "
                    f"follow from sums over rows: {describe(output)}",
                    hint="compute it from sums over the rows, or report scalars of it",
                )

    @cached_property
    def _compiled(self) -> driver.CompiledFunction:
        outputs = tuple(self._evaluation.outputs[place] for place in self.places)
        return driver.compile_function(ir.Graph(outputs), self._passes, self._target)

    def refuse_rules(self, read: Sequence[str]) -> None:
        """Rules of the loop read what it reports by itself.

        Raises:
            GraphError: one of these is computed from all rows at once.
        """
        for name in read:
            if name in self.names:
                place = self.places[self.names.index(name)]
                raise GraphError(
                    f"training: stop reads {name!r}, which does not follow from sums over rows: "
                    f"{describe(self._evaluation.outputs[place])}",
                    hint="stop by the loss or a metric that does, such as a mean",
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Theirs."""
        return tuple(self._evaluation.names[place] for place in self.places)

    def concern(self, *, held_out: bool) -> bool:
        """Must a run stop after each epoch for them? The loss of an epoch is that of its steps."""
        return bool(self.places) and (held_out or any(p >= self._losses for p in self.places))

    def evaluated(
        self, means: Array, data: Mapping[str, Array], state: Mapping[str, Array]
    ) -> Floats:
        """The outputs over all rows, given the means of the batches."""
        corrected = np.array(means, np.float64)
        if self.places:
            starts = self._columns.scalars
            corrected[[starts[name] for name in self.names]] = self._values(data, state)
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
        over_all = np.array(means)
        if any(p >= self._losses for p in self.places):
            over_all[self._losses :] = self.evaluated(means, data, state)[self._losses :]
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
