"""Calls that declare: ops, leaves, derivatives, losses, metrics, initialisers, optimizers."""

from __future__ import annotations

import numpy as np
from tests.odd.calls import (
    Arguments,
    Made,
    a,
    flags,
    given_to,
    layers,
    logits,
    loss,
    n,
    s,
    square,
    step,
    v,
    w,
    x,
    y,
)

import chainrule as cr
from chainrule import metrics, nn, optim


def _own(z: cr.Node) -> object:
    return cr.exp(z), lambda g: (g,)


ABOVE = cr.astype(v > 0.0, "float32")
UNARY = (
    "abs", "cos", "erf", "exp", "expm1", "floor", "log", "log1p", "negative", "relu",
    "sigmoid", "sign", "sin", "softplus", "sqrt", "stop_gradient", "tanh", "square",
    "reciprocal", "silu",
)  # fmt: skip
BINARY = (
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "pow", "maximum",
    "minimum", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
)  # fmt: skip
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "logsumexp")
BY_CLASS = ("precision", "recall", "f1", "iou")
OF_BINARY = ("accuracy", "precision", "recall", "f1", "iou")
OF_NUMBERS = ("mean_absolute_error", "mean_squared_error", "r2", "rmse")

OPS: dict[str, Arguments] = {
    **{f"cr.{name}": {"x": a} for name in UNARY},
    **{f"cr.{name}": {"a": a, "b": a} for name in BINARY},
    **{f"cr.{name}": {"x": a, "axis": 1, "keepdims": False} for name in REDUCTIONS},
    "cr.var": {"x": a, "axis": 1, "correction": 0.0, "keepdims": False},
    "cr.std": {"x": a, "axis": 1, "correction": 0.0, "keepdims": False},
    "cr.logical_and": {"a": flags, "b": flags},
    "cr.logical_or": {"a": flags, "b": flags},
    "cr.logical_not": {"x": flags},
    "cr.where": {"condition": flags, "a": a, "b": 1.0},
    "cr.astype": {"x": a, "dtype": "float64"},
    "cr.argmax": {"x": a, "axis": 1},
    "cr.argmin": {"x": a, "axis": 1},
    "cr.argsort": {"x": a, "axis": 1, "descending": False},
    "cr.sort": {"x": a, "axis": 1, "descending": False},
    "cr.cumsum": {"x": a, "axis": 1},
    "cr.take_along_axis": {"x": v, "indices": n, "axis": 0},
    "cr.top_k": {"x": a, "k": 2, "axis": 1},
    "cr.tril": {"x": a, "k": 0},
    "cr.triu": {"x": a, "k": 0},
    "cr.softmax": {"x": a, "axis": -1, "where": flags},
    "cr.log_softmax": {"x": a, "axis": -1},
    "cr.elu": {"x": a, "scale": 1.0},
    "cr.gelu": {"x": a, "approximate": "tanh"},
    "cr.leaky_relu": {"x": a, "slope": 0.1},
    "cr.broadcast_to": {"x": v, "shape": (3, 4)},
    "cr.reshape": {"x": a, "shape": (6, 4)},
    "cr.permute_dims": {"x": a, "axes": (0, 2, 1)},
    "cr.expand_dims": {"x": a, "axis": 0},
    "cr.squeeze": {"x": a[:1], "axis": 0},
    "cr.flip": {"x": a, "axis": 0},
    "cr.window": {"x": x, "size": 2, "axes": 1, "stride": 1, "dilation": 1},
    "cr.overlap_add": {"y": cr.window(x, 2, 1), "lengths": 4, "axes": 1, "stride": 1,
                       "dilation": 1},
    "cr.concat": {"parts": [a, a], "axis": 0},
    "cr.stack": {"parts": [a, a], "axis": 0},
    "cr.pad": {"x": v, "widths": [(1, 1)], "value": 0.0},
    "cr.take": {"x": a, "indices": n, "axis": 0},
    "cr.pick": {"x": cr.input("m", (3, 5)), "indices": n},
    "cr.one_hot": {"indices": n, "depth": 3, "dtype": "float32"},
    "cr.scatter_add": {"x": v, "indices": n, "updates": cr.input("u", (3,)), "axis": 0},
    "cr.einsum": {"equation": "ij,jk->ik", "a": x, "b": w},
    "cr.matmul": {"a": x, "b": w},
    "cr.linear": {"x": x, "weight": w, "bias": np.ones(3)},
    "cr.outer": {"a": v, "b": v},
    "cr.matrix_transpose": {"x": w},
    "cr.arange": {"stop": 3, "dtype": "int64"},
    "cr.normal": {"shape": (2,), "seed": 1, "step": 0, "mean": 0.0, "scale": 1.0, "stream": "s",
                  "dtype": "float32"},
    "cr.uniform": {"shape": (2,), "seed": 1, "step": 0, "low": 0.0, "high": 1.0, "stream": "s",
                   "dtype": "float32"},
    "cr.bernoulli": {"shape": (2,), "probability": 0.5, "seed": 1, "step": 0, "stream": "s"},
    "cr.random_bits": {"shape": (2,), "seed": 1, "step": 0, "stream": "s"},
    "cr.permutation": {"count": 3, "seed": 1, "step": 0, "stream": "s"},
    "cr.by_mode": {"train": a, "infer": a},
    "cr.updating": {"y": square, "updates": {w: w * 2.0}},
    "cr.elementwise": {"formula": lambda z: z * z, "name": "squared", "symbols": None},
    "cr.custom_gradient": {"function": _own},
    "cr.scan": {"cell": lambda c, _: (c, c), "carry": 0.0, "xs": x, "axis": 0, "length": "batch",
                "reverse": True, "recompute": True, "names": ["h", "row"]},
    "cr.attention": {"queries": a, "keys": a, "values": a, "causal": True, "where": None},
    "cr.while_loop": {"condition": lambda _: s < 2.0, "body": lambda c: c, "carry": 0.0,
                      "limit": 4},
}  # fmt: skip

LEAVES: dict[str, Arguments] = {
    "cr.input": {"name": "z", "shape": (3,), "dtype": "float32", "default": None},
    "cr.input: a scalar": {"name": "z", "shape": (), "dtype": "float32", "default": 1.0},
    "cr.parameter": {"name": "p", "shape": (2, 3), "initializer": "zeros", "trainable": True,
                     "dtype": "float32"},
    "cr.constant": {"value": [1.0, 2.0], "dtype": "float32"},
    "cr.size": {"name": "batch"},
    "cr.scope": {"name": "block"},
    "init.constant": {"value": 1.0},
    "init.normal": {"std": 1.0, "mean": 0.0},
    "init.uniform": {"low": 0.0, "high": 1.0},
    "init.orthogonal": {"gain": 1.0},
}  # fmt: skip

DERIVATIVES: dict[str, Arguments] = {
    "cr.grad": {"loss": loss, "wrt": [w, x], "allow_unused": False},
    "cr.value_and_grad": {"loss": square, "wrt": s},
    "cr.vjp": {"outputs": square, "wrt": s, "cotangents": 1.0, "allow_unused": False},
    "cr.jvp": {"outputs": square, "wrt": s, "tangents": 1.0},
    "cr.hvp": {"loss": square, "wrt": s, "vectors": 1.0},
    "cr.jacobian": {"y": v * 2.0, "wrt": v, "allow_unused": False},
    "cr.hessian": {"loss": square, "wrt": s},
    "cr.formula": {"node": square},
}

WEIGHED: Arguments = {"weights": [1, 2, 3], "reduction": "mean"}
OF_COLUMNS: Arguments = {"weights": [1, 2, 3, 4], "reduction": "mean"}

LOSSES: dict[str, Arguments] = {
    "losses.ctc": {"logits": cr.input("heard", (2, 5, 4)),
                   "labels": cr.input("labels", (2, 3), "int32"), "lengths": None,
                   "label_lengths": None, "blank": 0, "reduction": "mean", "zero_infinity": False},
    "losses.cross_entropy": {"logits": logits, "labels": y, **WEIGHED, "label_smoothing": 0.1,
                             "ignore_index": 1},
    "losses.cross_entropy: probabilities": {"logits": logits, "labels": logits, **WEIGHED,
                                            "label_smoothing": 0.1},
    "losses.binary_cross_entropy": {"logits": a, "targets": a, "weights": [1, 2],
                                    "reduction": "sum", "label_smoothing": 0.1},
    "losses.kl_divergence": {"logits": a, "targets": a, "weights": a[..., 0], "reduction": "none"},
    "losses.focal": {"logits": logits, "labels": y, "gamma": 2.0, **WEIGHED},
    "losses.binary_focal": {"logits": a, "targets": a, "gamma": 2.0, "weights": [1, 2],
                            "reduction": "mean"},
    "losses.hinge": {"scores": logits, "labels": y, "margin": 1.0, **WEIGHED},
    "losses.binary_hinge": {"scores": a, "targets": a, "margin": 1.0, "weights": [1, 2],
                            "reduction": "mean"},
    "losses.absolute_error": {"predictions": a, "targets": a, **OF_COLUMNS},
    "losses.squared_error": {"predictions": a, "targets": a, **OF_COLUMNS},
    "losses.huber": {"predictions": a, "targets": a, "delta": 1.0, **OF_COLUMNS},
    "losses.quantile": {"predictions": a, "targets": a, "q": 0.5, **OF_COLUMNS},
    "losses.gaussian_nll": {"predictions": a, "targets": a, "variances": a, "full": True,
                            "eps": 1e-6, **OF_COLUMNS},
    "losses.balanced_weights": {"labels": [0, 1, 1], "classes": 2},
    "losses.gan.discriminator": {"real_logits": a, "fake_logits": v},
    "losses.gan.generator": {"fake_logits": a},
    "losses.kl_normal": {"means": a, "log_variances": a, "reduction": "none"},
    "losses.k_means": {"points": logits, "centres": logits, "reduction": "mean"},
    "losses.nt_xent": {"first": logits, "second": logits, "temperature": 0.5, "reduction": "mean"},
    "metrics.accuracy": {"logits": logits, "labels": y},
    **{f"metrics.binary_{name}": {"logits": v, "targets": ABOVE} for name in OF_BINARY},
    **{f"metrics.{name}": {"predictions": a, "targets": a} for name in OF_NUMBERS},
    **{f"metrics.{name}": {"logits": logits, "labels": y, "average": "macro"}
       for name in BY_CLASS},
    **{f"metrics.{name}_{average}": {"logits": logits, "labels": y}
       for name in BY_CLASS for average in ("macro", "micro", "weighted")},
    **{f"metrics.{name}": {"logits": logits, "labels": y, "ignore_index": None}
       for name in ("bits_per_character", "perplexity")},
    "metrics.confusion_matrix": {"logits": logits, "labels": y},
    "metrics.top_k": {"logits": logits, "labels": y, "k": 2},
    "metrics.roc": {"score": v, "targets": v > 0.0, "bins": 16},
    "metrics.auc": {"score": v, "targets": v > 0.0, "bins": 16, "exact": False},
    "metrics.average_precision": {"score": v, "targets": v > 0.0, "bins": 16, "exact": False},
}  # fmt: skip

# what every optimizer takes
EACH: Arguments = {
    "signal": [],
    "clip": None,
    "maximize": False,
    "constraints": [],
    "average": None,
}

OPTIMIZERS: dict[str, Arguments] = {
    "schedules.constant": {"rate": 0.1},
    "schedules.cosine": {"initial": 0.1, "steps": 3, "final": 0.0},
    "schedules.exponential": {"initial": 0.1, "factor": 0.1, "steps": 3},
    "schedules.step_decay": {"initial": 0.1, "factor": 0.1, "every": 3},
    "schedules.warmup": {"steps": 3, "then": 0.1},
    "regularize.l1": {"rate": 0.1, "weights": [w]},
    "regularize.l2": {"rate": 0.1, "weights": [w]},
    "regularize.elastic_net": {"rate": 0.1, "weights": [w], "l1_ratio": 0.5},
    "regularize.activity": {"rate": 0.1, "activations": logits},
    "regularize.gradient_penalty": {"critic_output": logits, "inputs": x, "rate": 1.0,
                                    "target": 1.0},
    "regularize.max_norm": {"limit": 1.0, "weights": [w], "axis": 0},
    "regularize.unit_norm": {"weights": [w], "axis": 0},
    "regularize.non_negative": {"weights": [w]},
    "optim.SGD": {"lr": 0.1, "momentum": 0.5, "nesterov": True, "constraints": []},
    "optim.Adam": {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "amsgrad": True, **EACH},
    "optim.AdamW": {"lr": 0.1, "weight_decay": 0.1, "betas": (0.9, 0.99), "eps": 1e-8,
                    "amsgrad": True, **EACH},
    "optim.NAdam": {"lr": 0.1, "momentum_decay": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, **EACH},
    "optim.Lion": {"lr": 0.1, "betas": (0.9, 0.99), "weight_decay": 0.1, **EACH},
    "optim.AdaGrad": {"lr": 0.1, "eps": 1e-8, **EACH},
    "optim.AdaDelta": {"lr": 0.1, "rho": 0.9, "eps": 1e-8, **EACH},
    "optim.RMSProp": {"lr": 0.1, "alpha": 0.9, "momentum": 0.1, "centered": True, "eps": 1e-8,
                      **EACH},
    "optim.backprop": {"loss": loss, "parameters": [w]},
    "optim.slot": {"prefix": "kept", "parameter": w, "initial": 0.0},
    "optim.Step": {"loss": loss, "updates": {w: w * 2.0}, "parameters": (w,), "gradients": (w,),
                   "hyperparameters": {}, "averages": {}},
    "optimizer.minimize": {"loss": loss, "parameters": [w], "rule": optim.backprop},
    "optimizer.step": {"loss": loss, "signals": {w: w * 2.0}},
    "cr.training": {"step": step, "epochs": 1, "batch_size": 2, "shuffle": True, "seed": 0,
                    "metrics": {"m": metrics.accuracy(logits, y)}, "watch": False,
                    "stop": cr.NaNGuard()},
    "cr.training: several": {"step": {"a": step, "b": optim.SGD(lr=0.1).minimize(
        cr.mean(cr.square(x @ cr.parameter("other", (4, 1), 0.5))))}, "epochs": 1,
                             "batch_size": 2, "stop": [cr.NaNGuard("a_loss")]},
    "cr.Training": {"step": step, "epochs": 1, "batch_size": 2, "shuffle": True, "seed": 0,
                    "metrics": {}, "watch": False},
}  # fmt: skip

IMAGES = cr.input("images", ("batch", 2, 6, 6))
AUGMENT: dict[str, Arguments] = {
    "augment.shift": {"x": IMAGES, "most": 1},
    "augment.crop": {"x": IMAGES, "size": 4, "padding": 1},
    "augment.flip": {"x": IMAGES, "probability": 0.5},
    "augment.cutout": {"x": IMAGES, "size": 2},
    "augment.noise": {"x": IMAGES, "scale": 0.1},
    "augment.brightness": {"x": IMAGES, "most": 0.1},
    "augment.mixup": {"x": IMAGES, "labels": y, "classes": 3, "alpha": 0.2},
    "augment.smooth_labels": {"labels": y, "classes": 3, "share": 0.1},
}

LAYERS: dict[str, Arguments] = {
    **{f"nn.{name}": {"name": "l"} for name in ("ReLU", "SiLU", "Sigmoid", "Softplus", "Tanh",
                                                "Flatten")},
    "nn.Linear": {"in_features": 4, "out_features": 3, "bias": True, "init": "zeros", "name": "l"},
    "nn.BatchNorm1d": {"features": 4, "eps": 1e-5, "momentum": 0.1, "affine": True, "name": "l"},
    "nn.LayerNorm": {"shape": 4, "eps": 1e-5, "affine": True, "bias": True, "name": "l"},
    "nn.RMSNorm": {"shape": 4, "eps": 1e-5, "affine": True, "name": "l"},
    "nn.Dropout": {"rate": 0.5, "name": "l"},
    "nn.ELU": {"scale": 1.0, "name": "l"},
    "nn.GELU": {"approximate": "none", "name": "l"},
    "nn.LeakyReLU": {"slope": 0.1, "name": "l"},
    "nn.Softmax": {"axis": -1, "name": "l"},
    "nn.LogSoftmax": {"axis": -1, "name": "l"},
    "nn.PReLU": {"features": 1, "init": 0.25, "name": "l"},
    "nn.Maxout": {"in_features": 4, "out_features": 3, "pieces": 2, "init": "zeros", "name": "l"},
    "nn.Lambda": {"function": lambda z: z * 2.0, "name": "l"},
    "nn.Reshape": {"_size": 2, "_other": 2, "name": "l"},
    "nn.Residual": {"_inner": nn.Linear(4, 4), "shortcut": None, "name": "l"},
    "nn.Sequential": {"_first": nn.Linear(4, 3), "_second": nn.Tanh(), "name": "l"},
    "nn.Concat": {"_first": nn.Linear(4, 3), "_second": nn.Tanh(), "axis": -1, "name": "l"},
    "nn.MLP": {"_in": 4, "_inner": 5, "_out": 3, "activation": nn.Tanh, "dropout": 0.1,
               "batch_norm": True, "init": "zeros", "name": "l"},
    "nn.Embedding": {"count": 4, "features": 3, "init": "zeros", "name": "l"},
    "nn.LearnedPositions": {"context": 6, "width": 4, "init": "zeros", "name": "l"},
    "nn.SinusoidalPositions": {"width": 4, "base": 100.0, "name": "l"},
    "nn.RotaryPositions": {"width": 4, "base": 100.0, "name": "l"},
    "nn.MultiHeadAttention": {"width": 4, "heads": 2, "causal": True, "dropout": 0.1, "bias": True,
                              "rotary": True, "init": "zeros", "output_init": "ones", "name": "l"},
    "nn.TransformerBlock": {"width": 4, "heads": 2, "hidden": 6, "causal": True, "cross": False,
                            "norm_first": True, "dropout": 0.1, "bias": True, "rotary": False,
                            "activation": nn.Tanh, "norm": nn.LayerNorm, "init": "zeros",
                            "output_init": "ones", "name": "l"},
    "nn.Transformer": {"vocabulary": 4, "width": 4, "heads": 2, "layers": 1, "context": 6,
                       "causal": True, "dropout": 0.1, "tied": True, "positions": "learned",
                       "hidden": 6, "norm_first": True, "bias": True, "activation": nn.Tanh,
                       "norm": nn.LayerNorm, "name": "l"},
    **{f"nn.{kind}": {"features": 4, "hidden": 3, "layers": 2, **own, "bidirectional": True,
                      "dropout": 0.1, "carry_state": None, "name": "l"}
       for kind, own in (("RNN", {"nonlinearity": "relu"}), ("LSTM", {}),
                         ("GRU", {"reset_after": False}))},
    "nn.Reservoir": {"features": 4, "hidden": 3, "spectral_radius": 0.9, "leak": 0.5,
                     "input_scale": 1.0, "seed": 0, "name": "l"},
    **{f"layers.{name}": {"_x": given_to(layer)} for name, layer in vars(layers()).items()},
    "model": {"_x": x},
    "model.summary": {"input": x, "batch": 3},
    "cr.State": {"values": {"w": np.ones(3)}},
    "cr.Graph": {"outputs": [square], "updates": {w: w * 2.0}, "names": ["q"]},
    "cr.Graph.of": {"graph": Made("graph")},
}  # fmt: skip
