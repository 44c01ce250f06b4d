"""What can be chosen on the page: what of the library it is, and a sentence about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, substitute
from chainrule import nn, schedules
from chainrule.declare.leaves import input
from chainrule.optim import SGD, AdaDelta, AdaGrad, Adam, AdamW, Lion, Optimizer, RMSProp

WIDTH = 8  # of every layer, and the features


@dataclass(frozen=True)
class Choice:
    """One of several.

    Attributes:
        title: what it is called.
        told: a sentence.
        code: how a program of the library writes it.
    """

    title: str
    told: str
    code: str = ""


@dataclass(frozen=True)
class Activation(Choice):
    """One with a function of the sums; of several sums a neuron takes the largest."""

    made: Callable[[Node], Node] = lambda z: z
    sums: int = 1


@dataclass(frozen=True)
class Updating(Choice):
    """One with an optimizer; the page gives its rate."""

    made: Optimizer = SGD(lr=1.0)


@dataclass(frozen=True)
class Scheduling(Choice):
    """One with a schedule, which begins at a rate of 1 or rises to it."""

    made: Callable[[Node], Node] | None = None


def _prelu(z: Node) -> Node:
    """The layer of the library, whose slopes are given."""
    layer = nn.PReLU(WIDTH)
    given = {layer.weight: input("slopes", layer.weight.shape)}
    return substitute(Graph((layer(z),)), given).outputs[0]


ACTIVATIONS: Mapping[str, Activation] = {
    "tanh": Activation("tanh", "Between -1 and 1; its slope is at most 1.", "Tanh()", nn.Tanh()),
    "sigmoid": Activation(
        "sigmoid",
        "Between 0 and 1; its slope is at most 1/4, so gradients shrink from layer to layer.",
        "Sigmoid()",
        nn.Sigmoid(),
    ),
    "relu": Activation(
        "ReLU",
        "What is positive, and else 0; a neuron that is 0 everywhere learns no more.",
        "ReLU()",
        nn.ReLU(),
    ),
    "leaky": Activation(
        "leaky ReLU",
        "As ReLU, with a slope of 0.01 below 0: no neuron dies.",
        "LeakyReLU()",
        nn.LeakyReLU(),
    ),
    "prelu": Activation(
        "PReLU",
        "As leaky ReLU, with a slope below 0 for each neuron that is learnt, at first 0.25.",
        "PReLU({size})",
        _prelu,
    ),
    "maxout": Activation(
        "maxout",
        "The larger of two sums, each with weights of its own; lines are those of the first.",
        "Maxout({inputs}, {size}, init={init})",
        sums=2,
    ),
    "elu": Activation("ELU", "The identity above 0, exp(z) - 1 below.", "ELU()", nn.ELU()),
    "softplus": Activation(
        "softplus",
        "A smooth ReLU, the logarithm of 1 + exp(z): its slope is the sigmoid.",
        "Softplus()",
        nn.Softplus(),
    ),
    "silu": Activation("SiLU", "z times its sigmoid, also called swish.", "SiLU()", nn.SiLU()),
    "gelu": Activation(
        "GELU",
        "z times how likely a normal number is below it; in the form with tanh.",
        'GELU("tanh")',
        nn.GELU("tanh"),
    ),
    "linear": Activation(
        "linear", "The number itself: layers of these are together one linear layer."
    ),
}

OPTIMIZERS: Mapping[str, Updating] = {
    "sgd": Updating(
        "SGD", "A step against the gradient of the batch.", "SGD(lr={rate})", SGD(lr=1.0)
    ),
    "momentum": Updating(
        "SGD with momentum",
        "Steps add up: 0.9 of the last one goes on.",
        "SGD(lr={rate}, momentum=0.9)",
        SGD(lr=1.0, momentum=0.9),
    ),
    "nesterov": Updating(
        "Nesterov",
        "Momentum that looks ahead to where it is going.",
        "SGD(lr={rate}, momentum=0.9, nesterov=True)",
        SGD(lr=1.0, momentum=0.9, nesterov=True),
    ),
    "adagrad": Updating(
        "AdaGrad",
        "Each weight has a rate of its own, which falls with all its gradients so far.",
        "AdaGrad(lr={rate})",
        AdaGrad(lr=1.0),
    ),
    "adadelta": Updating(
        "AdaDelta",
        "Steps as long as the last ones, in the units of the weights: a rate of 1 is usual.",
        "AdaDelta(lr={rate})",
        AdaDelta(lr=1.0),
    ),
    "rmsprop": Updating(
        "RMSProp",
        "Each gradient is divided by its recent size.",
        "RMSProp(lr={rate}, alpha=0.9)",
        RMSProp(lr=1.0, alpha=0.9),
    ),
    "adam": Updating(
        "Adam",
        "Momentum and division by the recent size, both corrected for a start from 0.",
        "Adam(lr={rate})",
        Adam(lr=1.0),
    ),
    "adamw": Updating(
        "AdamW",
        "Adam, with weights that shrink a little in each step whatever their gradient is.",
        "AdamW(lr={rate})",
        AdamW(lr=1.0),
    ),
    "lion": Updating(
        "Lion",
        "Every weight moves by the same amount: only the sign of the momentum counts.",
        "Lion(lr={rate})",
        Lion(lr=1.0),
    ),
}

SPAN = 1000  # steps of a schedule as it is declared; the page stretches it
SCHEDULES: Mapping[str, Scheduling] = {
    "constant": Scheduling("constant", "The rate stays.", "{rate}"),
    "steps": Scheduling(
        "halved four times",
        "After each quarter of the epochs it is half of what it was.",
        "schedules.step_decay({rate}, factor=0.5, every={quarter})",
        schedules.step_decay(1.0, factor=0.5, every=SPAN // 4),
    ),
    "exponential": Scheduling(
        "exponential",
        "It falls to a tenth, a little in each step, and goes on so.",
        "schedules.exponential({rate}, factor=0.1, steps={steps})",
        schedules.exponential(1.0, factor=0.1, steps=SPAN),
    ),
    "cosine": Scheduling(
        "cosine",
        "It falls to 0 along half a wave: slowly, fast, slowly.",
        "schedules.cosine({rate}, steps={steps})",
        schedules.cosine(1.0, steps=SPAN),
    ),
    "cycle": Scheduling(
        "one cycle",
        "It rises for a while from a small one, then falls to almost 0.",
        "schedules.one_cycle({rate}, steps={steps})",
        schedules.one_cycle(1.0, steps=SPAN),
    ),
}

RULES: Mapping[str, Choice] = {
    "backprop": Choice("backpropagation", "The chain rule: every layer gets the gradient."),
    "feedback": Choice(
        "feedback alignment",
        "Fixed random matrices stand where the chain rule has the weights: these come to agree.",
        "FeedbackAlignment()",
    ),
    "direct": Choice(
        "direct feedback",
        "Each layer gets the error of the output along a random direction of its own.",
        "DirectFeedbackAlignment()",
    ),
}

NORMS: Mapping[str, Choice] = {
    "none": Choice("none", "Values stay as they are."),
    "batch": Choice(
        "batch norm",
        "Behind each hidden layer, values of a batch get the mean 0 and the variance 1.",
    ),
}

DATA_SETS: Mapping[str, Choice] = {
    "circle": Choice("circle", "A disc inside a ring: the distance from the middle decides."),
    "xor": Choice("exclusive or", "Opposite quarters are of one class: no line parts them."),
    "gauss": Choice("two Gaussians", "Two clouds that a line parts."),
    "spiral": Choice("spirals", "Two arms that wind around each other: the hardest of these."),
    "moons": Choice("moons", "Two half circles that reach into each other."),
    "ring": Choice("clouds on a ring", "Eight clouds on a circle, whose classes take turns."),
    "digits": Choice(
        "digits", "A thousand handwritten digits of 8 × 8 pixels: ten classes, and 64 features."
    ),
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
