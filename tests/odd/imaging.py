"""Calls of what works on images: convolution, pooling and their layers."""

from __future__ import annotations

import numpy as np
from tests.odd.calls import LAYER, Arguments, images, sequences, volumes

OF = {1: sequences, 2: images, 3: volumes}
SLIDING: Arguments = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}
POOL: Arguments = {"size": 2, "stride": 2, "padding": 0, "ceil_mode": True}


def _kernel(rank: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.ones((4, 4, *(2,) * rank), np.float32)


FUNCTIONS: dict[str, Arguments] = {
    **{f"cr.conv{rank}d": {"x": x, "weight": _kernel(rank), "bias": np.ones(4, np.float32),
                           **SLIDING} for rank, x in OF.items()},
    **{f"cr.conv_transpose{rank}d": {"x": x, "weight": _kernel(rank),
                                     "bias": np.ones(4, np.float32), "output_padding": 0,
                                     **SLIDING} for rank, x in OF.items()},
    **{f"cr.max_pool{rank}d": {"x": x, **POOL, "dilation": 1} for rank, x in OF.items()},
    **{f"cr.avg_pool{rank}d": {"x": x, **POOL, "count_include_pad": True}
       for rank, x in OF.items()},
    "cr.adaptive_avg_pool2d": {"x": images, "size": 3},
    "cr.unfold": {"x": images, "size": 2, "stride": 1, "padding": 1, "dilation": 1},
    "cr.upsample": {"x": images, "scale": 2, "mode": "bilinear", "align_corners": True},
    "cr.global_avg_pool": {"x": images, "keepdims": True},
}  # fmt: skip
LAYERS: dict[str, Arguments] = {
    **{f"nn.Conv{rank}d": {"in_channels": 4, "out_channels": 2, "size": 3, **SLIDING,
                           "bias": True, "init": "zeros", **LAYER} for rank in OF},
    **{f"nn.ConvTranspose{rank}d": {"in_channels": 4, "out_channels": 2, "size": 3, **SLIDING,
                                    "output_padding": 0, "bias": True, "init": "zeros",
                                    **LAYER} for rank in OF},
    "nn.AdaptiveAvgPool2d": {"size": 3, "name": "l"},
    "nn.GlobalAvgPool2d": {**LAYER},
    "nn.Upsample": {"scale": 2, "mode": "bilinear", "align_corners": True, "name": "l"},
    "nn.GroupNorm": {"groups": 2, "channels": 4, "eps": 1e-5, "affine": True, **LAYER},
    "nn.Dropout2d": {"rate": 0.5, **LAYER},
    **{f"nn.MaxPool{rank}d": {**POOL, "dilation": 1, "name": "l"} for rank in OF},
    **{f"nn.AvgPool{rank}d": {**POOL, "count_include_pad": True, "name": "l"} for rank in OF},
    **{f"nn.BatchNorm{rank}d": {"features": 4, "eps": 1e-5, "momentum": 0.1, "affine": True,
                                **LAYER} for rank in (2, 3)},
}  # fmt: skip

ZOO: dict[str, Arguments] = {
    "zoo.lenet5": {"classes": 10, "name": "net"},
    "zoo.vgg11": {"batch_norm": True, "classes": 10, "name": "net"},
    "zoo.mobilenet": {"width": 0.1, "size": 32, "classes": 10, "name": "net"},
    "zoo.unet": {"channels": 1, "classes": 2, "size": 16, "width": 4, "depth": 1, "name": "net"},
    "lenet.load": {"path": "weights.safetensors", "names": "torchvision"},
}
