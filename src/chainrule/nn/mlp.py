"""The multi-layer perceptron in one call."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from chainc.dataclass import dataclass
from chainc.ir.errors import InputError
from chainc.ops.movement import as_flag
from chainrule.declare.init import InitializerLike
from chainrule.nn.activation import ReLU
from chainrule.nn.dropout import Dropout
from chainrule.nn.linear import Linear
from chainrule.nn.module import DTypeLike, Module
from chainrule.nn.normalization import BatchNorm1d
from chainrule.nn.sequential import Sequential, made_by

__all__ = ["MLP"]


@dataclass(frozen=True, eq=False, init=False)
class MLP(Sequential):
    """Linear layers with an activation after each but the last: nn.MLP(64, 128, 10).

    A hidden layer is Linear, BatchNorm1d where asked for, activation, Dropout where asked for; the
    last one is Linear alone, so that losses get logits.
    """

    def __init__(
        self,
        *sizes: int,
        activation: Callable[[], Module] = ReLU,
        dropout: float = 0.0,
        batch_norm: bool = False,
        init: InitializerLike = "he_normal",
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        """Build the layers.

        Args:
            sizes: of the input, of each hidden layer, and of the output.
            activation: a class of layers, or a function that gives one, such as nn.Tanh.
            dropout: the share dropped after each hidden layer.
            batch_norm: whether to normalise before each activation.
            init: the initialiser of the weights.
            name: the model's name.
            dtype: of the parameters, "float32" or "float64"; by default float32.

        Raises:
            InputError: there are fewer than two sizes, or one of them or an option cannot be used.
        """
        if len(sizes) < 2:
            raise InputError(
                f"MLP: {len(sizes)} sizes make no layer",
                hint="give those of the input, the hidden layers and the output: MLP(64, 32, 10)",
            )
        normalised = as_flag("MLP", "batch_norm", batch_norm)
        dropping = Dropout(dropout).rate > 0
        layers: list[Module] = []
        for rows, columns in pairwise(sizes[:-1]):
            layers.append(Linear(rows, columns, init=init))
            layers += [BatchNorm1d(columns)] if normalised else []
            layers.append(made_by("MLP", "activation", activation))
            layers += [Dropout(dropout)] if dropping else []
        super().__init__(*layers, Linear(sizes[-2], sizes[-1], init=init), name=name, dtype=dtype)
