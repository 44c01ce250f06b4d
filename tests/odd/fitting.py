"""Calls of a trainer."""

from __future__ import annotations

import numpy as np
from tests.odd.calls import Arguments, Made

import chainrule as cr
from chainrule import losses, metrics, optim

ROWS = np.ones((8, 4), np.float32)
LABELS = np.arange(8) % 3

TRAINERS: dict[str, Arguments] = {
    "cr.Trainer": {"model": Made("classifier"), "loss": losses.cross_entropy,
                   "optimizer": optim.SGD(lr=0.1), "metrics": [metrics.accuracy],
                   "shuffle": True, "seed": 0, "target": "numpy", "threads": None,
                   "progress": False},
    "trainer.fit": {"x": ROWS, "y": LABELS, "epochs": 1, "batch_size": 4, "validation": 0.5,
                    "callbacks": [cr.TimeLimit(9.0)], "class_weight": "balanced",
                    "sample_weight": np.ones(8), "lr": 0.1},
    "trainer.fit: batches": {"x": [(ROWS, LABELS)], "epochs": 1, "validation": (ROWS, LABELS),
                             "callbacks": []},
    "trainer.evaluate": {"x": ROWS, "y": LABELS, "sample_weight": np.ones(8)},
    "trainer.predict": {"x": ROWS},
    "trainer.predict_proba": {"x": ROWS},
    "trainer.save": {"path": "trainer.safetensors"},
    "trainer.load": {"path": "fitted.safetensors"},
    "other_trainer.resume": {"path": "no such file"},
    "trainer.cross_validate": {"x": ROWS, "y": LABELS, "folds": 2, "epochs": 1, "batch_size": 4,
                               "lr": 0.1},
    "cr.EarlyStopping": {"monitor": "val_loss", "patience": 2, "min_delta": 0.1, "mode": "min",
                         "restore_best": True},
    "cr.TargetValue": {"monitor": "loss", "value": 0.5, "mode": "min"},
    "cr.NaNGuard": {"monitor": "loss"},
    "cr.Checkpoint": {"path": "run/{step}.safetensors", "every": 1, "keep": 3,
                      "every_steps": 2},
    "cr.CSVLog": {"path": "run.csv"},
    "cr.TimeLimit": {"seconds": 1.0},
}  # fmt: skip
