"""One class per op, by family. Reading this package registers them all.

Every name that a family exports is a function on nodes under its Array API name.
"""

from chainc.ops.activations import *
from chainc.ops.arithmetic import *
from chainc.ops.contract import *
from chainc.ops.functions import *
from chainc.ops.index import *
from chainc.ops.logic import *
from chainc.ops.movement import *
from chainc.ops.parts.interleave import *
from chainc.ops.parts.rows import *
from chainc.ops.parts.slicing import *
from chainc.ops.parts.window import *
from chainc.ops.reduce import *
from chainc.ops.runs.modes import *
from chainc.ops.runs.random import *
from chainc.ops.runs.scan import *
