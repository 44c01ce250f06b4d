"""Learning rules, and a step by one that looks at layers."""

from __future__ import annotations

from tests.odd.calls import Arguments, labels, rows, seen

from chainrule import learning, losses

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
    "learning.Objective": {"loss": judged, "parameters": seen.parameters(), "model": seen},
    "forward_forward.scores": {"loss": judged, "model": seen},
    "optimizer.minimize:rule": {"loss": judged, "parameters": None,
                                "rule": learning.DirectFeedbackAlignment(), "model": seen},
}  # fmt: skip
