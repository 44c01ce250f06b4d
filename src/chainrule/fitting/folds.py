"""What a cross-validation finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainrule.writing.html_table import html_table


@dataclass(frozen=True)
class CrossValidation:
    """The loss and the metrics of each fold, on the rows that it was not trained on.

    Attributes:
        folds: by name, a fold each.
    """

    folds: Sequence[Mapping[str, float]]

    @property
    def mean(self) -> dict[str, float]:
        """Over the folds."""
        return {name: float(np.mean(values)) for name, values in self._columns.items()}

    @property
    def deviation(self) -> dict[str, float]:
        """The standard deviation over the folds, with their number - 1 below."""
        return {name: float(np.std(values, ddof=1)) for name, values in self._columns.items()}

    @property
    def _columns(self) -> dict[str, list[float]]:
        return {name: [fold[name] for fold in self.folds] for name in self.folds[0]}

    def __repr__(self) -> str:
        deviation = self.deviation
        told = [f"{name} {mean:.4f} ± {deviation[name]:.4f}" for name, mean in self.mean.items()]
        return f"CrossValidation of {len(self.folds)} folds: {', '.join(told)}"

    def _repr_html_(self) -> str:
        columns = self._columns
        rows = [(str(k), *(f"{fold[name]:.6g}" for name in columns))
                for k, fold in enumerate(self.folds, start=1)]  # fmt: skip
        header = ("fold", *columns)
        return html_table(header, rows, caption=repr(self), numbers=range(len(header)))
