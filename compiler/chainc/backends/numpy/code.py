"""What there is to see of generated NumPy."""

from __future__ import annotations

from collections.abc import Callable

from chainc.backends.listing import Listing
from chainc.backends.target import Figures
from chainc.dataclass import dataclass


@dataclass(frozen=True)
class NumpyCode:
    """The source of a module; it lays out its buffers while it runs."""

    codes = ("numpy",)
    storage = None
    figures = Figures()

    source: str
    listed: Callable[[], Listing]

    def text(self, code: str) -> str:
        """The source: there is no other text."""
        return self.source

    def listing(self, code: str) -> Listing:
        """The source line by line."""
        return self.listed()
