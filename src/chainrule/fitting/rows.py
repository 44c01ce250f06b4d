"""The rows that a trainer is given, checked before anything is declared or computed."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.fitting.network import Network
from chainrule.fitting.objective import Objective
from chainrule.fitting.parts import Parts, arrays_in, in_file, refuse_uneven, rows_in, rows_of
from chainrule.fitting.splits import Chosen, held_out
from chainrule.fitting.weighting import row_weights


@dataclass(frozen=True, eq=False)
class Rows:
    """Samples, their targets, and how much each counts.

    Attributes:
        x: one or several arrays.
        y: one or several arrays.
        weights: one number a row.
        weighted: were they given? Else they are 1.
    """

    x: Parts[Array]
    y: Parts[Array]
    weights: Array
    weighted: bool

    def __len__(self) -> int:
        return rows_in(self.x)

    def chosen(self, rows: Chosen) -> Rows:
        """Some of them."""
        x, y = rows_of(self.x, rows), rows_of(self.y, rows)
        return Rows(x, y, self.weights[rows], self.weighted)

    @property
    def in_files(self) -> bool:
        """Are there arrays that may be larger than memory?"""
        arrays = [*self.x.by_name.values(), *self.y.by_name.values()]
        return any(map(in_file, arrays))

    def by_input(self, network: Network, objective: Objective) -> dict[Node, object]:
        """What a program takes."""
        weights = {} if objective.weights is None else {objective.weights: self.weights}
        return {
            **values_by_input(network.inputs, self.x, "x"),
            **values_by_input(objective.targets, self.y, "y"),
            **weights,
        }


def rows_given(function: str, x: object, y: object, weights: object = None) -> Rows:
    """All arrays, of as many rows each.

    Raises:
        InputError: one cannot be read, has no rows, or their numbers of rows differ.
    """
    samples, targets = arrays_in(function, "x", x), arrays_in(function, "y", y)
    counts = {name: rows_in(parts) for name, parts in (("x", samples), ("y", targets))}
    refuse_uneven(function, counts)
    if not counts["x"]:
        raise InputError(f"{function}: there are no rows", hint="give at least one row")
    given = row_weights(function, weights, counts["x"])
    _refuse_text(function, targets)
    flat = {name: column_as_vector(array) for name, array in targets.by_name.items()}
    return Rows(samples, targets.with_values(flat), given, weighted=weights is not None)


def _refuse_text(function: str, targets: Parts[Array]) -> None:
    """Refuse names of classes.

    Raises:
        InputError: there are some.
    """
    for array in targets.by_name.values():
        if array.dtype.kind in "USTO":
            raise InputError(
                f"{function}: y holds {str(array.flat[0])!r}, which is no number",
                hint="give class numbers: names, y = numpy.unique(y, return_inverse=True)",
            )


def column_as_vector(array: Array) -> Array:
    """A single column without its axis of size 1, as outputs of a model are."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def values_by_input(nodes: Parts[Node], arrays: Parts[Array], name: str) -> dict[Node, object]:
    """Each array for its input.

    Raises:
        InputError: they are not those that the trainer has been used with.
    """
    if (nodes.form, set(nodes.by_name)) != (arrays.form, set(arrays.by_name)):
        raise InputError(
            f"Trainer: {name} is {_told(arrays)}, and was {_told(nodes)}",
            hint="give it in the form of the first call, or make another trainer",
        )
    return {node: arrays.by_name[key] for key, node in nodes.by_name.items()}


def _told(parts: Parts[Array] | Parts[Node]) -> str:
    if parts.form == "one":
        return "a single array"
    names = ", ".join(parts.by_name)
    return (
        f"arrays named {names}" if parts.form == "mapping" else f"a tuple of {len(parts.by_name)}"
    )


def split(given: Rows, validation: object, seed: int) -> tuple[Rows, Rows | None]:
    """Rows to train on, and rows to validate on.

    Args:
        given: all there are.
        validation: None, a share of them, or (x, y) or (x, y, weights).
        seed: of what is drawn.
    """
    if validation is None:
        return given, None
    if isinstance(validation, tuple):
        if len(validation) not in (2, 3):
            raise InputError(
                f"fit: validation has {len(validation)} parts",
                hint="give validation=(x, y), or a share such as validation=0.2",
            )
        return given, rows_given("fit", *validation)
    seen, others = held_out(given.y, validation, seed, in_order=given.in_files)
    return given.chosen(seen), given.chosen(others)
