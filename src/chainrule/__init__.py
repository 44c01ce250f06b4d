"""Chainrule: declare a network, see its gradient, compile its training loop.

    import chainrule as cr

    a, b, c = cr.input("a"), cr.input("b"), cr.input("c")
    f = (a + b) * c
    run = cr.compile([f, *cr.grad(f, [a, b, c])])
    run(a=-2.0, b=5.0, c=-4.0)

The tensor functions carry their Array API names; a family of ops lists what it exports.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from chainc.autodiff import grad as grad
from chainc.autodiff import hvp as hvp
from chainc.autodiff import jvp as jvp
from chainc.autodiff import value_and_grad as value_and_grad
from chainc.autodiff import vjp as vjp
from chainc.errors import ChainruleError as ChainruleError
from chainc.errors import DTypeError as DTypeError
from chainc.errors import ExportError as ExportError
from chainc.errors import GradientError as GradientError
from chainc.errors import GraphError as GraphError
from chainc.errors import InputError as InputError
from chainc.errors import LinkingError as LinkingError
from chainc.errors import NonFiniteError as NonFiniteError
from chainc.errors import ParseError as ParseError
from chainc.errors import ShapeError as ShapeError
from chainc.errors import StateError as StateError
from chainc.errors import VerifyError as VerifyError
from chainc.ir import Node as Node
from chainc.ir import scope as scope
from chainc.ops import *
from chainc.types import bool_ as bool_
from chainc.types import float32 as float32
from chainc.types import float64 as float64
from chainc.types import int32 as int32
from chainc.types import int64 as int64
from chainc.types import uint8 as uint8
from chainrule import datasets as datasets
from chainrule import init as init
from chainrule import losses as losses
from chainrule import metrics as metrics
from chainrule import nn as nn
from chainrule import optim as optim
from chainrule import schedules as schedules
from chainrule.compilation import compile as compile
from chainrule.declare import constant as constant
from chainrule.declare import input as input
from chainrule.declare import parameter as parameter
from chainrule.declare import size as size
from chainrule.declare import step_counter as step_counter
from chainrule.drawing import Drawing as Drawing
from chainrule.drawing import draw as draw
from chainrule.functional import *
from chainrule.gradient_check import check_grad as check_grad
from chainrule.graph import Graph as Graph
from chainrule.graph import parse as parse
from chainrule.program import Function as Function
from chainrule.rendering import RenderingError as RenderingError
from chainrule.state import State as State
from chainrule.training import Result as Result
from chainrule.training import Training as Training
from chainrule.training import TrainingProgram as TrainingProgram
from chainrule.training import training as training
from chainrule.transforms import custom_gradient as custom_gradient
from chainrule.transforms import elementwise as elementwise
from chainrule.transforms import formula as formula
from chainrule.transforms import hessian as hessian
from chainrule.transforms import jacobian as jacobian

if TYPE_CHECKING:
    from chainrule import plots as plots
    from chainrule.derivation import Derivation as Derivation
    from chainrule.derivation import derive as derive
    from chainrule.explanation import explain as explain
    from chainrule.grading.check import check_backward as check_backward
    from chainrule.stepper import step_through as step_through
else:
    # Who only trains does not wait for these: each is imported when it is first asked for.
    _LATER = {
        "Derivation": "chainrule.derivation",
        "check_backward": "chainrule.grading.check",
        "derive": "chainrule.derivation",
        "explain": "chainrule.explanation",
        "plots": "chainrule.plots",
        "step_through": "chainrule.stepper",
    }

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(_LATER[name])
        return getattr(module, name, module)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER})
