"""What can be chosen on the page: names, numbers, and a sentence about each."""

from __future__ import annotations

import math
from collections.abc import Mapping

from chainc.dataclass import dataclass

ACTIVATION_PARTS = 9
OPTIMIZER_PARTS = 9


@dataclass(frozen=True)
class Choice:
    """One of several.

    Attributes:
        title: what it is called.
        told: a sentence.
        parts: the coefficients of its formula, if it is one of a family.
        code: how a program of the library writes it.
    """

    title: str
    told: str
    parts: tuple[float, ...] = ()
    code: str = ""


# (a t + b z t) / (1 - c t) + d z + e relu(z) + f with t = tanh(k z + p relu(z) + q z³), in the
# order k p q a b c d e f
_GELU = math.sqrt(2 / math.pi)
ACTIVATIONS: Mapping[str, Choice] = {
    "tanh": Choice(
        "tanh", "Between -1 and 1; its slope is at most 1.", (1, 0, 0, 1, 0, 0, 0, 0, 0), "Tanh()"
    ),
    "sigmoid": Choice(
        "sigmoid",
        "Between 0 and 1; its slope is at most 1/4, so gradients shrink from layer to layer.",
        (0.5, 0, 0, 0.5, 0, 0, 0, 0, 0.5),
        "Sigmoid()",
    ),
    "relu": Choice(
        "ReLU",
        "What is positive, and else 0; a neuron that is 0 everywhere learns no more.",
        (0, 0, 0, 0, 0, 0, 0, 1, 0),
        "ReLU()",
    ),
    "leaky": Choice(
        "leaky ReLU",
        "As ReLU, with a slope of 0.01 below 0: no neuron dies.",
        (0, 0, 0, 0, 0, 0, 0.01, 0.99, 0),
        "LeakyReLU()",
    ),
    "elu": Choice(
        "ELU",
        "The identity above 0, exp(z) - 1 below.",
        (0.5, -0.5, 0, 2, 0, 1, 0, 1, 0),
        "ELU()",
    ),
    "silu": Choice(
        "SiLU",
        "z times its sigmoid, also called swish.",
        (0.5, 0, 0, 0, 0.5, 0, 0.5, 0, 0),
        "SiLU()",
    ),
    "gelu": Choice(
        "GELU",
        "z times how likely a normal number is below it; in the form with tanh.",
        (_GELU, 0, _GELU * 0.044715, 0, 0.5, 0, 0.5, 0, 0),
        'GELU("tanh")',
    ),
    "linear": Choice(
        "linear",
        "The number itself: layers of these are together one linear layer.",
        (0, 0, 0, 0, 0, 0, 1, 0, 0),
    ),
}

# first ← h first + k g; second ← m second + n g²; the change is
# rate (p first + q g) / (r √second + s); where t is 1, both are divided by the sums of their
# weights: in the order h k m n p q r s t
OPTIMIZERS: Mapping[str, Choice] = {
    "sgd": Choice(
        "SGD",
        "A step against the gradient of the batch.",
        (0, 1, 0, 0, 1, 0, 0, 1, 0),
        "SGD(lr={rate})",
    ),
    "momentum": Choice(
        "SGD with momentum",
        "Steps add up: 0.9 of the last one goes on.",
        (0.9, 1, 0, 0, 1, 0, 0, 1, 0),
        "SGD(lr={rate}, momentum=0.9)",
    ),
    "nesterov": Choice(
        "Nesterov",
        "Momentum that looks ahead to where it is going.",
        (0.9, 1, 0, 0, 0.9, 1, 0, 1, 0),
        "SGD(lr={rate}, momentum=0.9, nesterov=True)",
    ),
    "adagrad": Choice(
        "AdaGrad",
        "Each weight has a rate of its own, which falls with all its gradients so far.",
        (0, 1, 1, 1, 0, 1, 1, 1e-10, 0),
        "AdaGrad(lr={rate})",
    ),
    "rmsprop": Choice(
        "RMSProp",
        "Each gradient is divided by its recent size.",
        (0, 1, 0.9, 0.1, 0, 1, 1, 1e-8, 0),
        "RMSProp(lr={rate}, alpha=0.9)",
    ),
    "adam": Choice(
        "Adam",
        "Momentum and division by the recent size, both corrected for a start from 0.",
        (0.9, 0.1, 0.999, 0.001, 1, 0, 1, 1e-8, 1),
        "Adam(lr={rate})",
    ),
}

DATA_SETS: Mapping[str, Choice] = {
    "circle": Choice("circle", "A disc inside a ring: the distance from the middle decides."),
    "xor": Choice("exclusive or", "Opposite quarters are of one class: no line parts them."),
    "gauss": Choice("two Gaussians", "Two clouds that a line parts."),
    "spiral": Choice("spirals", "Two arms that wind around each other: the hardest of these."),
    "moons": Choice("moons", "Two half circles that reach into each other."),
    "ring": Choice("clouds on a ring", "Eight clouds on a circle, whose classes take turns."),
    "plane": Choice("regression: plane", "A target that grows with x₁ + x₂."),
    "wave": Choice("regression: sine", "A target that depends on x₁ alone: its sine."),
    "bumps": Choice("regression: hills", "Two hills and two hollows."),
}
REGRESSIONS = ("plane", "wave", "bumps")

FEATURES: Mapping[str, Choice] = {
    "x1": Choice("x₁", "The first coordinate."),
    "x2": Choice("x₂", "The second coordinate."),
    "x1x1": Choice("x₁²", "The square of the first coordinate."),
    "x2x2": Choice("x₂²", "The square of the second coordinate."),
    "x1x2": Choice("x₁x₂", "The product: its sign is the exclusive or."),
    "sin1": Choice("sin x₁", "A wave along the first coordinate."),
    "sin2": Choice("sin x₂", "A wave along the second coordinate."),
    "radius": Choice("|x|", "The distance from the middle."),
}

INITIALISATIONS: Mapping[str, Choice] = {
    "uniform": Choice("uniform ±½", "Even between -1/2 and 1/2, whatever the layer's size."),
    "xavier": Choice("Xavier", "Variance 2 / (inputs + outputs): keeps values under tanh."),
    "he": Choice("He", "Variance 2 / inputs: keeps values under ReLU."),
    "large": Choice("normal, σ = 2", "Far too large: tanh and sigmoid begin saturated."),
    "zeros": Choice(
        "zeros", "All neurons of a layer stay the same for ever: the symmetry is never broken."
    ),
}

LOSSES: Mapping[str, Choice] = {
    "squared": Choice(
        "squared error", "Half the square of the error; for classes the output passes through tanh."
    ),
    "logistic": Choice(
        "logistic", "The negative log of the probability of the right class; classes alone."
    ),
}
