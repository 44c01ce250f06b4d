"""Dropout of whole channels."""

from __future__ import annotations

from chainc.ir import Node
from chainrule.declare.windows.geometry import images
from chainrule.nn.dropout import Dropout
from chainrule.nn.images.layer import ImageLayer

__all__ = ["Dropout2d"]


class Dropout2d(ImageLayer, Dropout):
    """`Dropout` of whole channels of images (batch, channels, height, width).

    Neighbouring pixels are alike, so that one alone is no loss; a channel is (Tompson et al., CVPR
    2015).
    """

    def forward(self, x: Node) -> Node:
        return self._dropped(images(str(self.label), x, 2), axes=2)
