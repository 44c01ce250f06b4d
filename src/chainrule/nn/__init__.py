"""Layers: parts with names, and a function from nodes to a node.

A layer file lists what it exports in `__all__`.
"""

from chainrule.declare.calls import answer_calls
from chainrule.nn.activation import *
from chainrule.nn.combining import *
from chainrule.nn.dropout import *
from chainrule.nn.embedding import *
from chainrule.nn.images.convolution import *
from chainrule.nn.images.dropout import *
from chainrule.nn.images.normalization import *
from chainrule.nn.images.pooling import *
from chainrule.nn.images.resizing import *
from chainrule.nn.linear import *
from chainrule.nn.mlp import *
from chainrule.nn.module import *
from chainrule.nn.normalization import *
from chainrule.nn.sequential import *
from chainrule.writing.public import public_names

answer_calls(globals(), public_names(globals()), "nn")


def __dir__() -> list[str]:
    return public_names(globals())
