"""Calls that compile, run, draw, teach, plot and read data."""

from __future__ import annotations

import numpy as np
from tests.odd.calls import Arguments, Made, data, inputs, logits, loss, s, square, w

import chainrule as cr

STATES = Made("state", times=2)
COMPILING: dict[str, Arguments] = {
    "cr.compile": {"what": loss, "target": "numpy", "threads": None, "mode": "infer",
                   "fast_math": False, "passes": ["cse"], "bake_in": False, "batch": 3},
    "cr.compile: a training": {"what": Made("training"), "target": "numpy", "threads": 1,
                               "passes": ["cse"], "bake_in": ["lr"]},
    "cr.parse": {"text": cr.Graph([square]).text()},
    "cr.Function": {"compiled": Made("lowered_function"), "single": True, "arrays": None},
    "cr.TrainingProgram": {"declared": Made("training"), "compiled": Made("lowered")},
    "program.run": {"data": data, "validation": data, "state": Made("state"), "epochs": 1,
                    "progress": False, "lr": 0.1},
    "program.evaluate": {"data": data, "state": Made("state"), "lr": 0.1},
    "program.profile": {"data": data, "state": Made("state"), "steps": 2, "lr": 0.1},
    "program.initial_state": {"seed": 1},
    "program.export": {"folder": "out", "name": "p"},
    "program.stage": {"name": "cse"},
    "program.provenance": {"code": None},
    "program.cost": {"batch": 3},
    "predict": {"x": inputs["x"]},
    "predict: by position": {"_values": inputs},
    "predict.bind": {"state": Made("state")},
    "predict.warm_up": {"sizes": [1, 2]},
    "predict.initial_state": {"seed": 0},
    "predict.profile": {"_values": inputs, "runs": 2},
    "predict.export": {"folder": "out", "name": "p"},
    "provenance.of_line": {"number": 1},
    "provenance.lines_of": {"what": loss},
    "stage.draw_change": {"title": "t"},
    "graph.draw": {"title": "t", "values": None, "detail": None, "mode": "infer", "fold": (),
                   "direction": None},
    "graph.cost": {"batch": 3},
    "state.save": {"path": "state.safetensors"},
    "cr.State.load": {"path": "state.safetensors", "limit": 1_000_000},
    "state.__getitem__": {"_name": "w"},
    "history.table": {"caption": "c"},
    "drawing.save": {"path": "d.svg"},
    "derivation.save": {"path": "d.md"},
    "derivation.save_key": {"path": "k.md"},
    "plot.save": {"path": "p.svg"},
}  # fmt: skip

TEACHING: dict[str, Arguments] = {
    "cr.draw": {"_what": loss, "title": "t", "values": None, "detail": None, "mode": "infer",
                "fold": (), "direction": None},
    "cr.explain": {"program": Made("predict"), "path": "e.html", "values": inputs},
    "cr.derive": {"loss": square, "wrt": [s], "at": {"s": 1.0}, "exercise": False,
                  "names": {s: "s"}},
    "cr.step_through": {"loss": square, "values": {"s": 1.0}, "wrt": [s], "path": "s.html"},
    "cr.check_grad": {"loss": square, "wrt": [s], "at": {"s": 1.0}, "directions": 2,
                      "tolerance": 1e-6, "seed": 0, "raise_error": True},
    "cr.check_backward": {"student": {"s": 5.0}, "graph": square, "at": {"s": 1.0},
                          "names": {"q": square}, "wrt": [s], "tolerance": 1e-5, "seed": 0},
}  # fmt: skip

PLOTS: dict[str, Arguments] = {
    "plots.activation_functions": {"_function": cr.tanh, "names": ["t"], "low": -6.0, "high": 6.0},
    "plots.activation_histograms": {"layers": {"l": logits}, "data": inputs, "states": STATES,
                                    "unit": "epoch"},
    "plots.comparison": {"runs": Made("runs"), "of": "loss", "log": False, "unit": "epoch"},
    "plots.confusion": {"matrix": np.ones((2, 2)), "classes": ["a", "b"]},
    "plots.roc": {"points": np.array([[0.0, 0.0], [1.0, 1.0]])},
    "plots.decision_boundary": {"predict": lambda p: p[:, 0], "data": Made("cross"),
                                "threshold": 0.5},
    "plots.gradient_norms": {"loss": loss, "data": data, "states": STATES, "unit": "epoch"},
    "plots.history": {"run": Made("result"), "log": False, "unit": "epoch"},
    "plots.loss_surface": {"loss": loss, "data": data, "states": STATES, "points": 5, "seed": 0,
                           "over": ((w, (0, 0)), (w, (1, 1))),
                           "intervals": ((-1.0, 1.0), (-1.0, 1.0))},
    "plots.network": {"weights": Made("model"), "state": Made("model_state"),
                      "inputs": np.ones(4), "names": ["a", "b", "c", "d"], "largest": 8},
    "plots.network: matrices": {"weights": [np.ones((4, 3))], "values": [np.ones(4), np.ones(3)]},
    "plots.record": {"program": Made("program"), "data": data, "epochs": 1, "validation": data,
                     "state": Made("state"), "lr": 0.1},
    "plots.record_steps": {"step": Made("one_step"), "values": data, "steps": 1,
                           "state": Made("state")},
    "plots.weight_images": {"weights": np.ones((4, 3)), "shape": (2, 2), "most": 64},
    "datasets.moons": {"n": 10, "noise": 0.1, "seed": 0},
    "datasets.ring": {"n": 10, "noise": 0.1, "seed": 0},
    "datasets.spirals": {"n": 10, "noise": 0.1, "seed": 0},
    "datasets.xor": {"n": 8, "noise": 0.1, "seed": 0},
    "datasets.mnist": {"folder": "digits", "limit": 1000},
    "datasets.read_idx": {"path": "digits.idx", "limit": 1000},
    "datasets.Split": {"x": np.ones((2, 2), np.float32), "y": np.zeros(2, np.int32)},
}  # fmt: skip
