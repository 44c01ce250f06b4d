"""What layers of images alone share."""

from __future__ import annotations

from chainrule.nn.module import Module


class ImageLayer(Module):
    """One that is applied to nothing but images, whose size it does not know."""

    def takes_any_shape(self) -> bool:
        return False
