"""Public names that no row of the tables calls, each with the reason."""

from __future__ import annotations

RESULT = "what a function gives; users read it"
PART = "a part of what has rows of its own"
OWN = "the base of classes of one's own, whose arguments are theirs; those there are have rows"
NETWORK = "takes what zoo.lenet5 or zoo.vgg11 takes, and is large"
STEPS = "called by text.sampler, which has a row"
ABSENT = "what it needs is not installed everywhere"

NAMES = {
    "acting.Episodes": RESULT,
    "cr.Derivation": RESULT,
    "cr.Drawing": RESULT,
    "cr.Node": RESULT,
    "cr.Result": RESULT,
    "cr.TensorBoardLog": ABSENT,
    "datasets.Dataset": RESULT,
    "learning.Comparison": RESULT,
    "learning.Rule": OWN,
    "nn.Module": OWN,
    "optim.Optimizer": OWN,
    "optim.RateSearch": RESULT,
    "plots.Plot": RESULT,
    "plots.Recording": RESULT,
    "regularize.Constraint": RESULT,
    "schedules.Schedule": OWN,
    "zoo.alexnet": NETWORK,
    "zoo.resnet18": NETWORK,
    "zoo.resnet20": NETWORK,
    "zoo.resnet32": NETWORK,
    "zoo.resnet34": NETWORK,
    "zoo.resnet50": NETWORK,
    "zoo.resnet56": NETWORK,
    "zoo.vgg13": NETWORK,
    "zoo.vgg16": NETWORK,
    "zoo.vgg19": NETWORK,
    "cr.Training: ending": "made by cr.training from stop",
    "cr.Training: reads_rows": "found out by cr.training",
}

METHODS = {
    "BytePairs.encode": ABSENT,
    "BytePairs.load": "called by tests/chainrule/text/test_byte_pairs.py, on files of save",
    "BytePairs.train": ABSENT,
    "ForwardForward.signals": "called by optimizer.minimize, which has a row",
    "Graph.leaves": "of the compiler",
    "Graph.replace": "of the compiler",
    "Optimizer.changes": OWN,
    "SGD.scalars": OWN,
    "SGD.updates": OWN,
    "Schedule.shown": PART,
    "LeNet5.forward": "called by the network itself, which has a row",
    "Sequential.forward": "called by the layer itself, which has a row",
    "Module.start": STEPS,
    "Module.step": STEPS,
    "Module.read": STEPS,
    "Sequential.read": STEPS,
    "Sequential.start": STEPS,
    "Sequential.step": STEPS,
}
