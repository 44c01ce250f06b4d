"""`import chainrule.losses` works wherever the module lies, as `os.path` does.

A loss that needs a loop stands above the others, and is shown with them.
"""

import sys

from chainrule.declare import losses
from chainrule.declare.calls import answer_calls
from chainrule.declare.losses import *
from chainrule.sequences import chains
from chainrule.sequences import ctc as aligned
from chainrule.sequences.chains import *
from chainrule.sequences.ctc import *

answer_calls(vars(losses), dir(losses), "losses")
answer_calls(vars(aligned), aligned.__all__, "losses")
answer_calls(vars(chains), chains.__all__, "losses")
vars(losses)["ctc"], vars(losses)["crf"] = aligned.ctc, chains.crf
sys.modules[__name__] = losses
