"""Learning rules, and a step by one that looks at layers."""

from __future__ import annotations

import numpy as np
from tests.odd.calls import Arguments, labels, rows, seen

import chainrule as cr
from chainrule import learning, losses, optim

judged = losses.cross_entropy(seen(rows), labels)

RULES: dict[str, Arguments] = {
    "learning.Backprop": {},
    "learning.Numeric": {"step": 0.01, "limit": 9000},
    "learning.ForwardGradient": {"samples": 2, "by_layer": True},
    "learning.EvolutionStrategies": {"population": 4, "sigma": 0.1},
    "learning.WeightPerturbation": {"samples": 2, "sigma": 0.1},
    "learning.NodePerturbation": {"samples": 2, "sigma": 0.1},
    "learning.FeedbackAlignment": {"init": "he_normal"},
    "learning.DirectFeedbackAlignment": {"init": "he_normal"},
    "learning.TargetPropagation": {"rate": 0.1, "noise": 0.1},
    "learning.ForwardForward": {"threshold": 2.0, "negatives": "own", "peer": 0.0},
    "learning.LocalLosses": {"init": "he_normal"},
    "learning.Hebb": {"readout": True},
    "learning.Oja": {"readout": True},
    "learning.compare": {"model": seen, "loss": judged, "rules": [learning.Backprop()],
                         "data": {"rows": np.ones((4, 9), np.float32), "labels": np.arange(4) % 3},
                         "epochs": 1, "optimizer": optim.SGD(lr=0.1), "batch_size": 4, "seed": 1,
                         "metrics": {"mean": cr.mean(seen(rows))}, "target": "numpy"},
    "learning.Objective": {"loss": judged, "parameters": seen.parameters(), "model": seen},
    "forward_forward.scores": {"loss": judged, "model": seen},
    "optimizer.minimize:rule": {"loss": judged, "parameters": None,
                                "rule": learning.DirectFeedbackAlignment(), "model": seen},
}  # fmt: skip
