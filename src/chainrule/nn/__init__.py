"""Layers: parts with names, and a function from nodes to a node.

A layer file lists what it exports in `__all__`.
"""

from typing import TYPE_CHECKING

from chainrule.declare.calls import answer_calls
from chainrule.nn.activation import *
from chainrule.nn.linear import *
from chainrule.nn.module import *
from chainrule.nn.sequential import *
from chainrule.writing.public import shown_later

if TYPE_CHECKING:
    from chainrule.nn.combining import *
    from chainrule.nn.dropout import *
    from chainrule.nn.images.convolution import *
    from chainrule.nn.images.dropout import *
    from chainrule.nn.images.normalization import *
    from chainrule.nn.images.pooling import *
    from chainrule.nn.images.resizing import *
    from chainrule.nn.mlp import *
    from chainrule.nn.normalization import *
    from chainrule.nn.sequences.attention import *
    from chainrule.nn.sequences.embedding import *
    from chainrule.nn.sequences.positions import *
    from chainrule.nn.sequences.recurrent import *
    from chainrule.nn.sequences.reservoir import *
    from chainrule.nn.sequences.transformer import *
else:
    # Who needs dense layers alone does not wait for the others.
    _LATER = {
        "AdaptiveAvgPool2d": "chainrule.nn.images.pooling",
        "AvgPool1d": "chainrule.nn.images.pooling",
        "AvgPool2d": "chainrule.nn.images.pooling",
        "AvgPool3d": "chainrule.nn.images.pooling",
        "BatchNorm1d": "chainrule.nn.normalization",
        "BatchNorm2d": "chainrule.nn.images.normalization",
        "BatchNorm3d": "chainrule.nn.images.normalization",
        "Concat": "chainrule.nn.combining",
        "Conv1d": "chainrule.nn.images.convolution",
        "Conv2d": "chainrule.nn.images.convolution",
        "Conv3d": "chainrule.nn.images.convolution",
        "ConvTranspose1d": "chainrule.nn.images.convolution",
        "ConvTranspose2d": "chainrule.nn.images.convolution",
        "ConvTranspose3d": "chainrule.nn.images.convolution",
        "Dropout": "chainrule.nn.dropout",
        "Dropout2d": "chainrule.nn.images.dropout",
        "Embedding": "chainrule.nn.sequences.embedding",
        "Flatten": "chainrule.nn.combining",
        "GlobalAvgPool2d": "chainrule.nn.images.pooling",
        "GroupNorm": "chainrule.nn.images.normalization",
        "Lambda": "chainrule.nn.combining",
        "LayerNorm": "chainrule.nn.normalization",
        "MLP": "chainrule.nn.mlp",
        "MaxPool1d": "chainrule.nn.images.pooling",
        "MaxPool2d": "chainrule.nn.images.pooling",
        "MaxPool3d": "chainrule.nn.images.pooling",
        "RMSNorm": "chainrule.nn.normalization",
        "Reshape": "chainrule.nn.combining",
        "Residual": "chainrule.nn.combining",
        "Upsample": "chainrule.nn.images.resizing",
        "GRU": "chainrule.nn.sequences.recurrent",
        "LSTM": "chainrule.nn.sequences.recurrent",
        "RNN": "chainrule.nn.sequences.recurrent",
        "LearnedPositions": "chainrule.nn.sequences.positions",
        "MultiHeadAttention": "chainrule.nn.sequences.attention",
        "Reservoir": "chainrule.nn.sequences.reservoir",
        "RotaryPositions": "chainrule.nn.sequences.positions",
        "SinusoidalPositions": "chainrule.nn.sequences.positions",
        "Transformer": "chainrule.nn.sequences.transformer",
        "TransformerBlock": "chainrule.nn.sequences.transformer",
    }

    def _answer(names: list[str]) -> None:
        answer_calls(globals(), names, "nn")

    __getattr__, __all__ = shown_later(globals(), _LATER, _answer)

    def __dir__() -> list[str]:
        return list(__all__)
