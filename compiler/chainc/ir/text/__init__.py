"""Graphs as text, one line a node, and back.

    %0: f32[batch,64] = input() key="x"  # digits.py:5
    %1: f32[64,10] = state() key="linear/weight" trainable=true  # digits.py:7 linear
    %2: f32[batch,10] = contract(%0, %1) a="ik" b="kj" result="ij"  # digits.py:8 linear
    return logits=%2

Attributes are the fields of the op's class, without those that have their default or repeat the
node's type. A graph inside an op is a block of such lines in braces.
"""

from chainc.ir.text.printing import same as same
from chainc.ir.text.printing import to_text as to_text
from chainc.ir.text.reading import parse as parse
