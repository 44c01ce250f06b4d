"""Planes through the space of all parameters: two directions, and a centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, describe
from chainc.ir.errors import InputError, StateError
from chainc.ir.leaves import Slot
from chainrule.compiled.state import State
from chainrule.evaluation.values import Floats
from chainrule.plots.paper.style import label

# A parameter of one element, or a parameter and the index of an element.
Coordinate = Node | tuple[Node, tuple[int, ...]]


@dataclass(frozen=True)
class Plane:
    """The points centre + a·first + b·second; the directions are orthogonal, of length 1.

    Attributes:
        state: what the parameters are put into; other values stay as they are.
        shapes: of the parameters, by name, in the order in which they are laid out in a vector.
        names: what to write on the two axes.
    """

    state: State
    shapes: Mapping[str, tuple[int, ...]]
    centre: Floats
    first: Floats
    second: Floats
    names: tuple[str, str]

    def at(self, a: float, b: float) -> State:
        """The state at a point of the plane."""
        vector = self.centre + a * self.first + b * self.second
        values = dict(self.state.items())
        start = 0
        for name, shape in self.shapes.items():
            end = start + int(np.prod(shape))
            values[name] = vector[start:end].reshape(shape).astype(self.state[name].dtype)
            start = end
        return State(values)

    def project(self, state: State) -> tuple[float, float]:
        """The coordinates of the point of the plane nearest to a state."""
        away = flat(state, self.shapes) - self.centre
        return float(away @ self.first), float(away @ self.second)


def flat(state: State, shapes: Mapping[str, tuple[int, ...]]) -> Floats:
    """The parameters as one vector.

    Raises:
        StateError: one is missing, of another shape, or not finite.
    """
    for name, shape in shapes.items():
        if state[name].shape != shape or not np.isfinite(state[name]).all():
            raise StateError(
                f"the state's value for {name!r} is not finite, or not of shape {list(shape)}",
                hint="give states of this model, and of a training only those before it diverged",
            )
    return np.concatenate([state[name].ravel().astype(np.float64) for name in shapes])


def parameters(function: str, loss: Node) -> dict[str, tuple[int, ...]]:
    """Shapes of what an optimizer would change to reduce the loss, by name.

    Raises:
        InputError: the loss reads no parameter.
    """
    slots = [slot for slot in Graph((loss,)).leaves("state") if _is_parameter(slot)]
    if not slots:
        raise InputError(
            f"{function}: {describe(loss)} reads no parameter",
            hint="give a loss computed from cr.parameter or a layer such as nn.Linear",
        )
    return {slot.op.label: tuple(int(str(dim)) for dim in slot.shape) for slot in slots}


def _is_parameter(slot: Node) -> bool:
    return isinstance(slot.op, Slot) and slot.op.trainable and slot.type.dtype.is_float


def along_coordinates(function: str, loss: Node, state: State, over: object) -> Plane:
    """Two elements of parameters vary; all others are as in the state."""
    shapes = parameters(function, loss)
    if not isinstance(over, tuple) or len(over) != 2:
        raise _no_coordinate(function, over, shapes)
    places = [_place(function, coordinate, shapes) for coordinate in over]
    if places[0][0] == places[1][0]:
        raise _no_coordinate(function, over, shapes)
    centre = flat(state, shapes)
    directions = np.zeros((2, len(centre)))
    for direction, (position, _) in zip(directions, places, strict=True):
        direction[position] = 1
        centre[position] = 0
    names = (places[0][1], places[1][1])
    return Plane(state, shapes, centre, directions[0], directions[1], names)


def _place(
    function: str, coordinate: object, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, str]:
    """Where a coordinate is in the vector of all parameters, and what it is called."""
    node, index = coordinate, None
    if isinstance(coordinate, tuple) and len(coordinate) == 2:
        node, index = coordinate
    name = node.op.label if isinstance(node, Node) else ""
    if name not in shapes:
        raise _no_coordinate(function, coordinate, shapes)
    shape = shapes[name]
    before = list(shapes)[: list(shapes).index(name)]
    start = sum(int(np.prod(shapes[other])) for other in before)
    if index is None and np.prod(shape) == 1:
        return start, label(name)
    if not isinstance(index, tuple) or len(index) != len(shape):
        raise _no_coordinate(function, coordinate, shapes)
    if not all(isinstance(i, int) and 0 <= i < size for i, size in zip(index, shape, strict=True)):
        raise _no_coordinate(function, coordinate, shapes)
    told = f"{label(name)}[{', '.join(map(str, index))}]"
    return start + int(np.ravel_multi_index(index, shape)), told


def _no_coordinate(
    function: str, given: object, shapes: Mapping[str, tuple[int, ...]]
) -> InputError:
    known = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    return InputError(
        f"{function}: over={given!r} does not name two different numbers among the parameters",
        hint=f"give two of one element, or elements such as ((w, (0, 0)), (w, (1, 0))); "
        f"the loss reads {known}",
    )


def along_path(function: str, loss: Node, states: Sequence[State], seed: int) -> Plane:
    """The plane through the last state that the path is nearest to.

    The directions are the principal ones of the differences from the last state (Li, Xu, Taylor,
    Studer, Goldstein: Visualizing the loss landscape of neural nets, NeurIPS 2018). Where the
    path has fewer than two, random ones take their place, scaled parameter by parameter.
    """
    shapes = parameters(function, loss)
    last = states[-1]
    centre = flat(last, shapes)
    away = np.stack([flat(state, shapes) - centre for state in states])
    _, lengths, directions = np.linalg.svd(away, full_matrices=False)
    total = float((lengths**2).sum())
    kept = [d for d, length in zip(directions, lengths, strict=True) if length**2 > 1e-9 * total]
    shares = [f"{length**2 / total:.0%} of the path" for length in lengths[: len(kept)]]
    generator = np.random.default_rng(seed)
    found = [d * np.sign(d[np.argmax(np.abs(d))]) for d in kept[:2]]
    while len(found) < 2:
        found.append(_random_direction(last, shapes, found, generator))
        shares.append("random")
    names = (f"direction 1 ({shares[0]})", f"direction 2 ({shares[1]})")
    return Plane(last, shapes, centre, found[0], found[1], names)


def _random_direction(
    state: State,
    shapes: Mapping[str, tuple[int, ...]],
    others: Sequence[Floats],
    generator: np.random.Generator,
) -> Floats:
    """Orthogonal to the others; in each parameter as long as the parameter itself."""
    parts = []
    for name, shape in shapes.items():
        part = generator.standard_normal(shape).ravel()
        length = float(np.linalg.norm(state[name].astype(np.float64))) or 1.0
        parts.append(part * length / (float(np.linalg.norm(part)) or 1.0))
    direction = np.concatenate(parts)
    for other in others:
        direction = direction - (direction @ other) * other
    return direction / float(np.linalg.norm(direction))
