"""Looks into a model: what it makes of one input, as pictures from -1 to 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from chainc import ops
from chainc.dataclass import dataclass
from chainc.ir import Graph, Node
from chainc.ir.types import static
from chainrule.declare.derivatives import grad
from chainrule.nn.images.convolution import Kernels
from chainrule.nn.linear import Linear
from chainrule.nn.module import Module
from chainrule.nn.sequences.attention import MultiHeadAttention
from chainrule.nn.summary import layers_applied
from chainrule.playgrounds.seen import as_bytes, on_one_scale
from chainrule.plots.images.maps import sliding_layers

MOST_LAYERS, MOST_PICTURES = 4, 16
SEEN = "Orange is below 0, blue above."


@dataclass(frozen=True, eq=False)
class Look:
    """Pictures (number, height, width), and what they are.

    Attributes:
        title: in a few words.
        told: what is to be seen, in a sentence.
        pictures: one scale for all of them.
        letters: both axes are those of the text that is read.
    """

    title: str
    told: str
    pictures: Node
    letters: bool = False

    def outputs(self, number: int) -> Mapping[str, Node]:
        """Numbers from -1 to 1, the same as bytes for a scale of colours, and what is 1."""
        scaled, most = on_one_scale(self.pictures)
        found = {"look": scaled, "bytes": as_bytes(scaled), "most": most}
        return {f"{name}{number}": node for name, node in found.items()}


Size = tuple[int, int, int]  # channels, height, width


def looks_at_picture(
    model: Callable[[Node], Node], x: Node, scores: Node, size: Size
) -> list[Look]:
    """What a model sees in one picture: weights of its first layer, maps, saliency."""
    found: list[Look] = []
    if isinstance(model, Module):
        convolutions = list(sliding_layers(model, scores))
        found += _weights(model, scores, convolutions, size)
        found += [_map(name, y) for name, _, y in convolutions[:MOST_LAYERS]]
    slope = ops.reshape(grad(ops.sum(ops.max(scores, axis=1)), x), size)
    told = "How much the highest score changes with each pixel: the bluer, the more."
    found.append(Look("Saliency", told, ops.max(ops.abs(slope), axis=0, keepdims=True)))
    return found


def _weights(
    model: Module, scores: Node, convolutions: Sequence[tuple[str, Module, Node]], size: Size
) -> Iterator[Look]:
    """Of the first layer: the kernels of a convolution, or what each unit is connected to."""
    for name, layer, _ in convolutions:
        if isinstance(layer, Kernels):
            kernels = ops.reshape(layer.weight, (-1, *static(layer.weight.shape[2:])))
            told = f"What each kernel of the first convolution looks for. {SEEN}"
            yield Look(f"Filters of {name}", told, kernels[:MOST_PICTURES])
            return
    channels, height, width = size
    for path, layer, _ in layers_applied(model, Graph((scores,)).nodes):
        if isinstance(layer, Linear) and layer.weight.shape[0] == channels * height * width:
            units = ops.reshape(ops.matrix_transpose(layer.weight), (-1, *size))
            told = f"What each unit of the first layer looks for. {SEEN}"
            yield Look(f"Weights of {path}", told, units[:MOST_PICTURES, 0])
            return


def _map(name: str, y: Node) -> Look:
    told = f"What the layer makes of the picture. {SEEN}"
    return Look(f"Maps of {name}", told, y[0, :MOST_PICTURES])


def looks_at_text(model: Module, logits: Node) -> list[Look]:
    """Where a model attends to in one text; nothing of one without attention."""
    attending = [
        (path, weights)
        for path, layer, inside in layers_applied(model, Graph((logits,)).nodes)
        if isinstance(layer, MultiHeadAttention)
        for weights in [_shares(inside)]
        if weights is not None
    ]
    told = "Rows: the token that asks. Columns: those that it looks at; the bluer, the more."
    return [
        Look(f"Attention of {path}", told, weights[0, :MOST_PICTURES], letters=True)
        for path, weights in attending[:MOST_LAYERS]
    ]


def _shares(inside: Sequence[Node]) -> Node | None:
    """The weights among the nodes of a layer; none where it goes block by block."""
    found = [node for node in inside if (node.origin.scope or "").endswith("/softmax")]
    return found[-1] if found and found[-1].ndim == 4 else None
