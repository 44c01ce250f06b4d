"""Chainrule: declare a network, see its gradient, compile its training loop.

    import chainrule as cr

    a, b, c = cr.input("a"), cr.input("b"), cr.input("c")
    f = (a + b) * c
    run = cr.compile([f, *cr.grad(f, [a, b, c])])
    run(a=-2.0, b=5.0, c=-4.0)

Declare        input, parameter, constant, size, nn, init, losses, metrics, augment, zoo
Compute        the Array API's functions under their names, such as exp, sum, matmul, where
Differentiate  grad, value_and_grad, jvp, vjp, hvp, jacobian, hessian, custom_gradient
Train          Trainer, optim, schedules, regularize, training, compile, datasets, text, acting
See            draw, explain, derive, step_through, formula, plots
Pages          playground, lesson
Check          check_grad, check_backward
"""

from typing import TYPE_CHECKING

# NumPy first: its import takes half as long again deep within a chain of imports, where Python's
# stack of frames can take and give back memory at every call.
import numpy as _numpy  # noqa: F401

from chainc.ir import Node as Node
from chainc.ir import scope as scope
from chainc.ir.errors import ChainruleError as ChainruleError
from chainc.ir.errors import DTypeError as DTypeError
from chainc.ir.errors import ExportError as ExportError
from chainc.ir.errors import GradientError as GradientError
from chainc.ir.errors import GraphError as GraphError
from chainc.ir.errors import InputError as InputError
from chainc.ir.errors import LinkingError as LinkingError
from chainc.ir.errors import NonFiniteError as NonFiniteError
from chainc.ir.errors import NonFiniteWarning as NonFiniteWarning
from chainc.ir.errors import ParseError as ParseError
from chainc.ir.errors import ShapeError as ShapeError
from chainc.ir.errors import StateError as StateError
from chainc.ir.errors import VerifyError as VerifyError
from chainc.ir.types import bool_ as bool_
from chainc.ir.types import float32 as float32
from chainc.ir.types import float64 as float64
from chainc.ir.types import int32 as int32
from chainc.ir.types import int64 as int64
from chainc.ir.types import uint8 as uint8
from chainc.ops import *
from chainrule.declare.calls import answer_calls
from chainrule.declare.derivatives import grad as grad
from chainrule.declare.derivatives import hvp as hvp
from chainrule.declare.derivatives import jvp as jvp
from chainrule.declare.derivatives import value_and_grad as value_and_grad
from chainrule.declare.derivatives import vjp as vjp
from chainrule.declare.functional import *
from chainrule.declare.leaves import constant as constant
from chainrule.declare.leaves import input as input
from chainrule.declare.leaves import parameter as parameter
from chainrule.declare.leaves import size as size
from chainrule.declare.leaves import step_counter as step_counter
from chainrule.declare.numpy_functions import bind_numpy
from chainrule.declare.transforms import custom_gradient as custom_gradient
from chainrule.declare.transforms import elementwise as elementwise
from chainrule.declare.transforms import formula as formula
from chainrule.declare.transforms import hessian as hessian
from chainrule.declare.transforms import jacobian as jacobian
from chainrule.writing.public import shown_later

__version__ = "0.1.0"

bind_numpy()

if TYPE_CHECKING:
    from chainrule import acting as acting
    from chainrule import augment as augment
    from chainrule import datasets as datasets
    from chainrule import learning as learning
    from chainrule import losses as losses
    from chainrule import nn as nn
    from chainrule import optim as optim
    from chainrule import plots as plots
    from chainrule import text as text
    from chainrule import zoo as zoo
    from chainrule.compiled.callbacks.checkpoint import Checkpoint as Checkpoint
    from chainrule.compiled.callbacks.logs import CSVLog as CSVLog
    from chainrule.compiled.callbacks.logs import TensorBoardLog as TensorBoardLog
    from chainrule.compiled.callbacks.time_limit import TimeLimit as TimeLimit
    from chainrule.compiled.compilation import compile as compile
    from chainrule.compiled.function import Function as Function
    from chainrule.compiled.history import Result as Result
    from chainrule.compiled.state import State as State
    from chainrule.compiled.training import TrainingProgram as TrainingProgram
    from chainrule.declare import init as init
    from chainrule.declare import metrics as metrics
    from chainrule.declare.windows.convolution import conv1d as conv1d
    from chainrule.declare.windows.convolution import conv2d as conv2d
    from chainrule.declare.windows.convolution import conv3d as conv3d
    from chainrule.declare.windows.convolution import conv_transpose1d as conv_transpose1d
    from chainrule.declare.windows.convolution import conv_transpose2d as conv_transpose2d
    from chainrule.declare.windows.convolution import conv_transpose3d as conv_transpose3d
    from chainrule.declare.windows.convolution import unfold as unfold
    from chainrule.declare.windows.pooling import avg_pool1d as avg_pool1d
    from chainrule.declare.windows.pooling import avg_pool2d as avg_pool2d
    from chainrule.declare.windows.pooling import avg_pool3d as avg_pool3d
    from chainrule.declare.windows.pooling import global_avg_pool as global_avg_pool
    from chainrule.declare.windows.pooling import max_pool1d as max_pool1d
    from chainrule.declare.windows.pooling import max_pool2d as max_pool2d
    from chainrule.declare.windows.pooling import max_pool3d as max_pool3d
    from chainrule.declare.windows.resizing import adaptive_avg_pool2d as adaptive_avg_pool2d
    from chainrule.declare.windows.resizing import upsample as upsample
    from chainrule.drawing.drawing import Drawing as Drawing
    from chainrule.drawing.drawing import draw as draw
    from chainrule.drawing.graph import Graph as Graph
    from chainrule.drawing.graph import parse as parse
    from chainrule.drawing.rendering import RenderingError as RenderingError
    from chainrule.fitting.trainer import Trainer as Trainer
    from chainrule.optim import regularize as regularize
    from chainrule.optim import schedules as schedules
    from chainrule.playgrounds.lessons.lesson import lesson as lesson
    from chainrule.playgrounds.playground import playground as playground
    from chainrule.sequences.attention import attention as attention
    from chainrule.sequences.chains import viterbi as viterbi
    from chainrule.sequences.scan import scan as scan
    from chainrule.sequences.while_loop import while_loop as while_loop
    from chainrule.steps.loop import Training as Training
    from chainrule.steps.loop import training as training
    from chainrule.steps.stopping import EarlyStopping as EarlyStopping
    from chainrule.steps.stopping import NaNGuard as NaNGuard
    from chainrule.steps.stopping import TargetValue as TargetValue
    from chainrule.teaching.derivations.derivation import Derivation as Derivation
    from chainrule.teaching.derivations.derivation import derive as derive
    from chainrule.teaching.explanation.explanation import explain as explain
    from chainrule.teaching.gradient_check import check_grad as check_grad
    from chainrule.teaching.grading.check import check_backward as check_backward
    from chainrule.teaching.stepper.stepper import step_through as step_through
else:
    # Who declares does not wait for what compiles, draws or teaches: each is imported when it is
    # first asked for.
    _LATER = {
        "CSVLog": "chainrule.compiled.callbacks.logs",
        "Checkpoint": "chainrule.compiled.callbacks.checkpoint",
        "Derivation": "chainrule.teaching.derivations.derivation",
        "Drawing": "chainrule.drawing.drawing",
        "EarlyStopping": "chainrule.steps.stopping",
        "Function": "chainrule.compiled.function",
        "Graph": "chainrule.drawing.graph",
        "NaNGuard": "chainrule.steps.stopping",
        "RenderingError": "chainrule.drawing.rendering",
        "Result": "chainrule.compiled.history",
        "State": "chainrule.compiled.state",
        "TargetValue": "chainrule.steps.stopping",
        "TensorBoardLog": "chainrule.compiled.callbacks.logs",
        "TimeLimit": "chainrule.compiled.callbacks.time_limit",
        "Trainer": "chainrule.fitting.trainer",
        "Training": "chainrule.steps.loop",
        "TrainingProgram": "chainrule.compiled.training",
        "acting": "chainrule.acting",
        "adaptive_avg_pool2d": "chainrule.declare.windows.resizing",
        "augment": "chainrule.augment",
        "avg_pool1d": "chainrule.declare.windows.pooling",
        "avg_pool2d": "chainrule.declare.windows.pooling",
        "avg_pool3d": "chainrule.declare.windows.pooling",
        "check_backward": "chainrule.teaching.grading.check",
        "check_grad": "chainrule.teaching.gradient_check",
        "compile": "chainrule.compiled.compilation",
        "conv1d": "chainrule.declare.windows.convolution",
        "conv2d": "chainrule.declare.windows.convolution",
        "conv3d": "chainrule.declare.windows.convolution",
        "conv_transpose1d": "chainrule.declare.windows.convolution",
        "conv_transpose2d": "chainrule.declare.windows.convolution",
        "conv_transpose3d": "chainrule.declare.windows.convolution",
        "datasets": "chainrule.datasets",
        "derive": "chainrule.teaching.derivations.derivation",
        "draw": "chainrule.drawing.drawing",
        "explain": "chainrule.teaching.explanation.explanation",
        "global_avg_pool": "chainrule.declare.windows.pooling",
        "init": "chainrule.init",
        "learning": "chainrule.learning",
        "losses": "chainrule.losses",
        "max_pool1d": "chainrule.declare.windows.pooling",
        "max_pool2d": "chainrule.declare.windows.pooling",
        "max_pool3d": "chainrule.declare.windows.pooling",
        "metrics": "chainrule.metrics",
        "nn": "chainrule.nn",
        "optim": "chainrule.optim",
        "parse": "chainrule.drawing.graph",
        "lesson": "chainrule.playgrounds.lessons.lesson",
        "playground": "chainrule.playgrounds.playground",
        "plots": "chainrule.plots",
        "regularize": "chainrule.regularize",
        "schedules": "chainrule.schedules",
        "attention": "chainrule.sequences.attention",
        "scan": "chainrule.sequences.scan",
        "viterbi": "chainrule.sequences.chains",
        "while_loop": "chainrule.sequences.while_loop",
        "step_through": "chainrule.teaching.stepper.stepper",
        "text": "chainrule.text",
        "training": "chainrule.steps.loop",
        "zoo": "chainrule.zoo",
        "unfold": "chainrule.declare.windows.convolution",
        "upsample": "chainrule.declare.windows.resizing",
    }

    def _answer(names: list[str]) -> None:
        answer_calls(globals(), names, "cr")

    __getattr__, __all__ = shown_later(globals(), _LATER, _answer)

    def __dir__() -> list[str]:
        """What is public, without the folders that it lies in."""
        return [*__all__, "__all__", "__doc__", "__name__", "__path__", "__version__"]
