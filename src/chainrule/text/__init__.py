"""Text as numbers, and as data to train on.

`Characters` reads a text, and gives data for the inputs x and y; `sampler` has a model write one.
"""

from chainrule.declare.calls import answer_calls
from chainrule.text.characters import Characters
from chainrule.text.sampler import sampler

__all__ = ["Characters", "sampler"]

answer_calls(globals(), __all__, "text")


def __dir__() -> list[str]:
    return list(__all__)
