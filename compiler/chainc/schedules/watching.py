"""Looks for the first number that is not finite."""

from __future__ import annotations

from chainc.loops.language import Nest
from chainc.loops.values import Kind
from chainc.lowering.kernels import Copy
from chainc.lowering.views import Buffer, View
from chainc.schedules.elementwise import Sweep
from chainc.schedules.frame import Frame, Place
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import Machine


def watching_nest(
    buffer: Buffer, capacity: Capacity, machine: Machine
) -> tuple[Nest, tuple[Buffer, ...]]:
    """Fails if an element is NaN or infinite; padding is not looked at."""
    view = View(buffer, buffer.type)
    frame = Frame(Copy(buffer, (view,)), capacity, machine)
    found = frame.access(view)

    def look(place: Place) -> None:
        value = frame.load(found, place)
        builder = frame.builder
        nothing = builder.compute("subtract", value, value)  # NaN unless the value is finite
        finite = builder.compare("equal", nothing, builder.constant(0, Kind(buffer.type.dtype)))
        builder.fail(builder.compute("logical_not", finite))

    lanes = machine.lanes(buffer.type.dtype)
    Sweep(frame, buffer.type.shape, [found], lanes, exact=True).run(look)
    nest = frame.builder.nest(f"watch_{buffer.name}", buffer.name, tuple(frame.parameters.values()))
    return nest, tuple(frame.parameters)
