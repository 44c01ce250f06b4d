"""Small data sets: handwritten digits, bundled, and points in the plane, generated.

`mnist` reads a larger one from a folder of IDX files. Every set comes as `Dataset(train, test,
...)`; every split holds `x` float32 (n, features) and `y` int32 (n,), the class numbers from 0.
`mackey_glass` computes a series of numbers.
"""

from chainrule.datasets.dataset import Dataset, Split
from chainrule.datasets.handwritten import digits
from chainrule.datasets.idx import mnist, read_idx
from chainrule.datasets.plane import gaussians_on_ring, moons, ring, spirals, xor
from chainrule.datasets.series import mackey_glass
from chainrule.declare.calls import answer_calls

__all__ = [
    "Dataset",
    "Split",
    "digits",
    "gaussians_on_ring",
    "mackey_glass",
    "mnist",
    "moons",
    "read_idx",
    "ring",
    "spirals",
    "xor",
]

answer_calls(globals(), __all__, "datasets")


def __dir__() -> list[str]:
    return list(__all__)
