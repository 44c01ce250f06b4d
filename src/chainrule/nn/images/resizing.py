"""Images enlarged."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainrule.declare.windows.geometry import Numbers
from chainrule.declare.windows.resizing import enlarged, enlargement
from chainrule.nn.images.layer import ImageLayer

__all__ = ["Upsample"]


@dataclass(frozen=True, eq=False, init=False)
class Upsample(ImageLayer):
    """Images enlarged a whole number of times.

    Attributes:
        scale: how many times higher and wider.
        mode: "nearest" repeats pixels; "bilinear" weighs the four around a place by their distance,
            "linear" two of a sequence, "trilinear" eight of a volume.
        align_corners: whether the places of the corner pixels are kept; not for "nearest".
    """

    scale: tuple[int, ...]
    mode: str
    align_corners: bool

    def __init__(
        self,
        scale: Numbers,
        mode: str = "nearest",
        align_corners: bool = False,
        name: str | None = None,
    ) -> None:
        """Keep the numbers.

        Raises:
            InputError: a scale is no positive whole number, or there is no such mode.
        """
        times, chosen, aligned = enlargement("Upsample", scale, mode, align_corners)
        self._set(name=name, scale=times, mode=chosen, align_corners=aligned)
        self.__post_init__()

    def forward(self, x: Node) -> Node:
        return enlarged(str(self.label), x, self.scale, self.mode, self.align_corners)

    def __repr__(self) -> str:
        return f"Upsample({self.scale}, {self.mode!r})"
