"""What a comparison is given, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, describe
from chainc.ir.errors import GraphError, InputError
from chainc.ir.leaves import Input
from chainc.ir.types import Array, has_named_size
from chainrule.datasets.dataset import Dataset, Split
from chainrule.declare.arguments import part_name, several
from chainrule.declare.metrics.hits import accuracy
from chainrule.evaluation.values import Values, as_arrays, by_key, sizes_from
from chainrule.learning.negatives import labels_of
from chainrule.learning.network import model_of, network_of
from chainrule.learning.rules.forward_forward import ForwardForward
from chainrule.nn.module import Module
from chainrule.optim.optimizers.adam import Adam
from chainrule.optim.optimizers.minimizer import Minimizer
from chainrule.optim.signals.rule import Objective, Rule
from chainrule.optim.signals.rules import parameters_of
from chainrule.steps.ending import VALIDATION

Rules = Sequence[Rule] | Mapping[str, Rule]
Optimizers = Minimizer | Mapping[str, Minimizer]
GivenData = Dataset | tuple[Values, Values] | Values
Arrays = Mapping[str, Array]

_HINT = "give rules, such as [learning.Backprop(), learning.FeedbackAlignment()]"


@dataclass(frozen=True)
class Rows:
    """Arrays for every input, by name: to train on, and to measure on."""

    train: Arrays
    held_out: Arrays | None
    some: Arrays


def named_rules(rules: Rules) -> dict[str, Rule]:
    """Rules by name; those of a list have their own.

    Raises:
        InputError: there are none, something is no rule, or two have one name.
    """
    given: object = rules
    if isinstance(given, Mapping):
        pairs = [(part_name("compare", name), each) for name, each in given.items()]
    else:
        listed = several("compare", "rules", given, hint=_HINT)
        pairs = [(each.name if isinstance(each, Rule) else "", each) for each in listed]
    found: dict[str, Rule] = {}
    for name, rule in pairs:
        if not isinstance(rule, Rule):
            raise InputError(f"compare: a {type(rule).__name__} is no learning rule", hint=_HINT)
        if name in found:
            raise InputError(
                f"compare: two rules are called {name!r}",
                hint=f'give them by names of your own: {{"{name} 1": ..., "{name} 2": ...}}',
            )
        found[name] = rule
    if not found:
        raise InputError("compare: there is no rule", hint=_HINT)
    return found


def optimizer_for(name: str, optimizer: Optimizers | None) -> Minimizer:
    """That of a rule.

    Raises:
        InputError: there is none.
    """
    chosen: object = Adam(lr=1e-3) if optimizer is None else optimizer
    if isinstance(chosen, Mapping):
        if name not in chosen:
            raise InputError(
                f"compare: there is no optimizer for {name!r}",
                hint=f'give one for each rule: optimizer={{"{name}": optim.Adam(lr=1e-3), ...}}',
            )
        chosen = chosen[name]
    if isinstance(chosen, Minimizer):
        return chosen
    raise InputError(
        f"compare: a {type(chosen).__name__} is no optimizer",
        hint="give one for all rules, such as optim.Adam(lr=1e-3), or a dictionary by rule",
    )


def given_metrics(metrics: Mapping[str, Node]) -> dict[str, Node]:
    """Scalars by name.

    Raises:
        GraphError: a metric is no scalar.
        InputError: its name is taken.
    """
    given: object = metrics
    if not isinstance(given, Mapping):
        raise GraphError(
            f"compare: metrics is a {type(given).__name__}, not a dictionary",
            hint='give nodes: metrics={"accuracy": metrics.accuracy(logits, labels)}',
        )
    for name, node in given.items():
        if part_name("compare: metric", name) == "loss" or name.startswith(VALIDATION):
            raise InputError(
                f"compare: the metric name {name!r} is taken", hint="choose another, such as score"
            )
        if not isinstance(node, Node) or node.shape != ():
            told = describe(node) if isinstance(node, Node) else f"a {type(node).__name__}"
            raise GraphError(
                f"compare: the metric {name!r} is no scalar but {told}",
                hint="give a node that is one number, such as metrics.accuracy(logits, labels)",
            )
    return dict(given)


class Accuracy:
    """The metric of a comparison that is given none, where the loss reads labels."""

    def __init__(self, loss: Node, model: Module) -> None:
        network = network_of("compare", Objective(loss, parameters_of(loss, None), model))
        labels = labels_of(network)
        fits = labels is not None and network.output.ndim == labels.ndim + 1
        self._loss, self._model = loss, model
        self._labels = labels if fits else None
        self._plain = self._of(network.output)

    def for_rule(self, rule: Rule) -> dict[str, Node]:
        """That of the model's result, or of the scores of a rule that has some."""
        if isinstance(rule, ForwardForward) and rule.negatives != "shuffle":
            return self._of(rule.scores(self._loss, self._model))
        return self._plain

    def _of(self, scores: Node) -> dict[str, Node]:
        return {} if self._labels is None else {"accuracy": accuracy(scores, self._labels)}


def rows_of(data: GivenData, read: Sequence[Node], model: Module, some: int) -> Rows:
    """The data by name.

    Args:
        data: what was given.
        read: what is computed from it.
        model: whose input is the `x` of a data set.
        some: how many rows angles are measured on.

    Raises:
        InputError: it does not fit.
    """
    model_of("compare", model)
    graph = Graph(tuple(read))
    train, held_out = _parts(data, graph)
    arrays = _arrays(train, graph)
    return Rows(arrays, None if held_out is None else _arrays(held_out, graph),
                _thinned(arrays, graph, some))  # fmt: skip


def _parts(data: object, graph: Graph) -> tuple[object, object]:
    if isinstance(data, Dataset):
        return _of_split(data.train, graph), _of_split(data.test, graph)
    if isinstance(data, Mapping):
        return data, None
    if isinstance(data, tuple | list) and len(data) == 2:
        train, held_out = data
        if isinstance(train, Mapping) and isinstance(held_out, Mapping):
            return train, held_out
    raise InputError(
        f"compare: the data is a {type(data).__name__} that does not say what to train on",
        hint='give a data set, {"x": ..., "y": ...}, or two of these: (train, held_out)',
    )


def _of_split(split: Split, graph: Graph) -> Mapping[str, Array]:
    """The samples for the floating-point input, the classes for that of whole numbers."""
    read = [each for each in graph.leaves("input") if isinstance(each.op, Input)
            and each.op.default is None]  # fmt: skip
    samples = [each.op.label for each in read if each.type.dtype.is_float]
    classes = [each.op.label for each in read if not each.type.dtype.is_float]
    if len(samples) != 1 or len(classes) > 1:
        names = ", ".join(each.op.label for each in read) or "none"
        raise InputError(
            f"compare: a data set has samples and classes, and the loss reads {names}",
            hint="give arrays by name: compare(..., data=(train, held_out))",
        )
    return {samples[0]: split.x, **dict.fromkeys(classes, split.y)}


def _arrays(given: object, graph: Graph) -> Arrays:
    arrays = as_arrays(graph, by_key(graph, given))
    sizes_from(graph, arrays)
    return arrays


def _thinned(arrays: Arrays, graph: Graph, count: int) -> Arrays:
    """Rows from all over the data, which may be sorted by class."""
    over_rows = {
        each.op.label for each in graph.leaves("input") if has_named_size(each.shape[:1])
    } & set(arrays)
    rows = min((len(arrays[name]) for name in over_rows), default=0)
    places = np.linspace(0, rows - 1, min(count, rows)).astype(np.intp)
    return {name: each[places] if name in over_rows else each for name, each in arrays.items()}
