"""What stands around optimizers: schedules, chains, averages, groups, searches."""

from __future__ import annotations

from tests.odd.calls import Arguments, Made, data, loss, w

from chainrule import optim

sgd = optim.SGD(lr=0.1)

AROUND: dict[str, Arguments] = {
    "schedules.inverse_time": {"initial": 0.1, "steps": 3},
    "schedules.polynomial": {"initial": 0.1, "steps": 3, "power": 2.0, "final": 0.0},
    "schedules.piecewise": {"initial": 0.1, "changes": {3: 0.01}},
    "schedules.restarts": {"initial": 0.1, "steps": 3, "growth": 2, "final": 0.0},
    "schedules.one_cycle": {"peak": 0.1, "steps": 30, "rising": 0.3, "start": 0.01, "end": 0.001},
    "schedules.plateau": {"initial": 0.1, "metric": loss, "every": 3, "factor": 0.1, "patience": 2,
                          "threshold": 1e-4, "final": 0.0},
    "schedule.plot": {"steps": 9},
    "plots.rates": {"schedules": {"constant": lambda step: 0.0 * step + 0.1}, "steps": 9},
    "optim.clip.by_value": {"limit": 1.0},
    "optim.clip.by_norm": {"limit": 1.0},
    "optim.clip.by_global_norm": {"limit": 1.0},
    "optim.noise": {"deviation": 0.1, "decay": 0.5},
    "optim.freeze": {"parameters": [w]},
    "optim.accumulate": {"batches": 2},
    "optim.averages.ema": {"decay": 0.9},
    "optim.averages.swa": {"start": 3, "every": 2},
    "optim.averages.of": {"state": Made("averages")},
    "optim.groups": {"_part": sgd, "signal": []},
    "optim.groups:pair": {"_part": ([w], sgd)},
    "optim.SGD:around": {"lr": 0.1, "signal": [], "clip": optim.clip.by_value(1.0),
                         "maximize": True, "average": optim.averages.ema()},
    "optim.LBFGS": {"lr": 1.0, "history": 2, "trials": 2},
    "optim.find_rate": {"optimizer": sgd, "loss": loss, "data": data, "lowest": 1e-6,
                        "highest": 1.0, "steps": 10, "batch_size": 4, "seed": 0},
    "averaged_step.averaged": {"node": loss},
    "averaged_step.every": {"steps": 2},
}  # fmt: skip
