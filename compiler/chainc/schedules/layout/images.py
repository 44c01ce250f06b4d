"""Which images lie row by row, so that vectors run along their columns: those of few channels.

    image of 6 channels, 28 × 28, vectors of 16      along channels 6 of 16 lanes are used, along
                                                     columns 28 of 32

Images that are computed from each other element by element lie alike. A convolution goes with the
images on both sides of it, by how many of its lanes are used:

    to channels in panels        along these
    from rows to rows            along columns
    from panels to rows          along the channels that are summed over
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir.movements import Window
from chainc.lowering.kernels import Contraction
from chainc.lowering.views import Buffer, View
from chainc.schedules.layout.machine import Machine

ROWS_COST = 1.2  # vectors along columns start anywhere, so that loads take two cache lines
SUMMED_COST = 1.35  # lanes are added up in the end, and results stored one by one
APART_COST = 2.0  # windows some steps apart: two loads and a shuffle for a vector
SINGLE_COST = 8.0  # lanes are loaded one by one

Place = tuple[Buffer, int]  # an axis of a buffer


@dataclass(frozen=True)
class Sliding:
    """A convolution, its image with windows, and the one without.

    That is its result, or the cotangent with which windows are summed to the gradient of weights.
    """

    summed_letter: str
    image: Place
    windows: Place | None  # the channels of the other image; None: it lies in rows
    work: float
    lanes: int
    channels: int
    summed: int
    columns: int
    apart: bool

    def cost(self, rows: Set[Place]) -> float:
        """Vectors that it computes, where some images lie in rows."""
        if self.image not in rows:
            return self.work / filled(self.channels, self.lanes)
        if self.windows is None or self.windows in rows:
            factor = ROWS_COST * (APART_COST if self.apart else 1)
            return self.work * factor / filled(self.columns, self.lanes)
        if not self.sums_lanes(rows):
            return self.work * SINGLE_COST
        return self.work * SUMMED_COST / filled(self.summed, self.lanes)

    def sums_lanes(self, rows: Set[Place]) -> bool:
        """Do vectors run along the channels of the windows?"""
        apart = self.windows is not None and self.windows not in rows
        return apart and 2 * self.summed >= self.lanes

    def from_rows(self) -> Sliding:
        """As it goes where no convolution computes what has windows: few channels are in rows."""
        return replace(self, windows=None) if self.summed < self.lanes else self


def filled(extent: int, lanes: int) -> float:
    """Of the lanes of as many vectors as it takes, those that are used."""
    return extent / (-(-extent // lanes) * lanes)


def sliding(root: Contraction, letter: str, machine: Machine) -> Sliding | None:
    """None where it is not known how it goes."""
    pairs = list(zip(root.letters[:2], root.reads[:2], strict=True))
    slid = [pair for pair in pairs if is_slid(pair[1])]
    if not machine.masks or not letter or len(slid) != 1:
        return None
    letters, view = slid[0]
    images = [*_places(root, letter, letters[0])]
    if not images or images[0][0][-1] not in letters:
        return None
    columns, channels = root.extents[images[0][0][-1]], root.extents[letter]
    if not isinstance(columns, int) or not isinstance(channels, int):
        return None
    lanes, summed = machine.lanes(root.factor_type), _channels(root, letters, view)
    within = root.extents[summed] if summed else 1
    place = _place(letters, view, summed) if summed else None
    if not isinstance(within, int) or (place is not None and place[0].role not in OWN):
        place = None
    sizes = [n for n in root.extents.values() if isinstance(n, int)]
    return Sliding(
        summed, images[0][1], place, math.prod(sizes), lanes, channels,
        within if isinstance(within, int) else 1, columns, _steps_over(view),
    )  # fmt: skip


OWN = ("work", "state")  # buffers that lie as is best


def is_slid(view: View) -> bool:
    return any(isinstance(movement, Window) for movement in view.movements)


def _places(root: Contraction, letter: str, first: str) -> Iterator[tuple[str, Place]]:
    """Where the image without windows has its channels, and its letters."""
    for letters, view in zip(root.letters[:2], root.reads[:2], strict=True):
        if letter in letters and first in letters:
            place = _place(letters, view, letter)
            if place is not None:
                yield letters, place
    if letter in root.letters[2] and first in root.letters[2]:
        yield root.letters[2], (root.out, root.letters[2].index(letter))


def _place(letters: str, view: View, letter: str) -> Place | None:
    axis = view.source(letters.index(letter))
    return None if axis is None else (view.buffer, axis)


def _channels(root: Contraction, letters: str, view: View) -> str:
    """Those of the windows: a letter that goes with the taps, summed over or not."""
    tap = letters[-1]
    for each in letters[: len(letters) - view.taps] if view.taps else ():
        if all((each in others) == (tap in others) for others in root.letters):
            return each
    return ""


def _steps_over(view: View) -> bool:
    windows = (movement for movement in view.movements if isinstance(movement, Window))
    return any(stride > 1 for window in windows for stride, _ in window.steps)


def in_rows(convolutions: Sequence[Sliding], beside: Mapping[Place, Sequence[Place]]) -> Set[Place]:
    """The channels of images that lie in rows, in whole families of them: the cheapest found."""
    families: list[frozenset[Place]] = []
    for each in convolutions:
        if not any(each.image in family for family in families):
            families.append(_family(each.image, beside))
    images = frozenset[Place]().union(*families)
    known = [each if each.windows in images else each.from_rows() for each in convolutions]
    few = {each.image for each in known if filled(each.channels, each.lanes) < 1}
    families = [family for family in families if not few.isdisjoint(family)]
    starts = (frozenset[Place](), frozenset[Place]().union(*families))
    found = [_improved(start, families, known) for start in starts]
    return min(found, key=lambda rows: _total(rows, known))


def _family(place: Place, beside: Mapping[Place, Sequence[Place]]) -> frozenset[Place]:
    found, fresh = {place}, [place]
    while fresh:
        more = {other for other in beside.get(fresh.pop(), ()) if other not in found}
        found |= more
        fresh.extend(more)
    return frozenset(found)


def _improved(
    rows: frozenset[Place],
    families: Sequence[frozenset[Place]],
    convolutions: Sequence[Sliding],
) -> frozenset[Place]:
    """One family after another changed, as long as that gains."""
    least, gains = _total(rows, convolutions), True
    while gains:
        gains = False
        for family in families:
            other = rows ^ family if family <= rows else rows | family
            total = _total(other, convolutions)
            if total < least:
                rows, least, gains = other, total, True
    return rows


def _total(rows: Set[Place], convolutions: Sequence[Sliding]) -> float:
    return sum(each.cost(rows) for each in convolutions)
