"""Text as numbers, and as data to train on.

`Characters` reads a text, and gives data for the inputs x and y; `sampler` has a model write one.
`BytePairs` makes numbers of pieces of words.
"""

from chainrule.declare.calls import answer_calls
from chainrule.text.byte_pairs import BytePairs
from chainrule.text.characters import Characters
from chainrule.text.sampler import sampler
from chainrule.text.windows import streams, windows

__all__ = ["BytePairs", "Characters", "sampler", "streams", "windows"]

answer_calls(globals(), __all__, "text")


def __dir__() -> list[str]:
    return list(__all__)
