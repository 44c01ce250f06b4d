"""Positions as integers, as panel and lane."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.ir.types import int64
from chainc.loops.builder import NestBuilder
from chainc.loops.values import Affine, Kind, affine
from chainc.schedules.layout.access import Access, PanelPosition


def located(
    builder: NestBuilder, position: Affine, axis: int, accesses: Sequence[Access]
) -> Affine | PanelPosition:
    """A position along an axis, split where some access has the axis in panels."""
    panels = [found.lanes for found in accesses if found.splits(axis)]
    return split(builder, position, panels[0]) if panels else position


def split(builder: NestBuilder, position: Affine, lanes: int) -> PanelPosition:
    """A position as panel and lane; computed at run time unless it is known now."""
    if not position.terms:
        panel, lane = divmod(position.constant, lanes)
        return PanelPosition(Affine(panel), Affine(lane), lanes)
    width = builder.constant(lanes, Kind(int64))
    quotient = affine(builder.compute("divide", builder.positions(position, 1), width))
    return PanelPosition(quotient, position + quotient * -lanes, lanes)


def element(place: Affine | PanelPosition) -> Affine:
    """The position that a split one stands for."""
    return place.panel * place.lanes + place.lane if isinstance(place, PanelPosition) else place
