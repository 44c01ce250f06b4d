"""Text as numbers, and as data to train on.

`Characters` reads a text, and gives data for the inputs x and y.
"""

from chainrule.declare.calls import answer_calls
from chainrule.text.characters import Characters

__all__ = ["Characters"]

answer_calls(globals(), __all__, "text")


def __dir__() -> list[str]:
    return list(__all__)
