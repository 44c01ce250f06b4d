"""A model as rules without a way back see it: blocks of one layer of weights each, one by one.

A block ends where a hidden value is read by the next weights. It holds what lies between:

    x → [Linear, ReLU, pooling] → hidden 1 → [Linear, Tanh] → hidden 2 → [Linear] → output
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from chainc.autodiff import grad, vjp
from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, describe, rebuild, topological
from chainc.ir.errors import GraphError
from chainc.ir.origin import Scope
from chainc.ir.types import has_named_size, product, static
from chainc.ops import stop_gradient
from chainc.ops.contract import Contract
from chainc.ops.movement import BroadcastTo, PermuteDims, Reshape
from chainc.ops.parts.slicing import Pad
from chainc.ops.parts.window import Window
from chainc.ops.runs.modes import without_updates
from chainc.ops.runs.scan import Scan
from chainrule.nn.module import Module
from chainrule.optim.signals.rule import Objective, Signals

_VIEWS = (BroadcastTo, Pad, PermuteDims, Reshape, Window)


@dataclass(frozen=True, eq=False)
class Weighing:
    """A product of values with weights.

    Attributes:
        product: the contraction.
        weights: which of its operands the weights are.
    """

    product: Node
    weights: int

    @property
    def data(self) -> Node:
        """What is weighed, before it was moved or padded for the product."""
        found = self.product.inputs[1 - self.weights]
        while isinstance(found.op, _VIEWS):
            found = found.inputs[0]
        return found


@dataclass(frozen=True, eq=False)
class Block:
    """A stretch of a model with one layer of weights.

    Attributes:
        entry: what its weights read; None where it joins several values.
        exit: what it gives to the next block, or the output.
        parameters: those of the objective in it.
        weighings: its products with weights.
    """

    entry: Node | None
    exit: Node
    parameters: tuple[Node, ...]
    weighings: tuple[Weighing, ...]

    @property
    def name(self) -> str:
        """That of its layer: model/linear1."""
        return self.weighings[0].product.origin.scope

    def applied(self, x: Node) -> Node:
        """What it makes of another value, without keeping statistics of it."""
        assert self.entry is not None
        return copied(self.exit, {self.entry: x})

    def pulled(self, cotangent: Node) -> Signals:
        """The signals of its parameters by the chain rule, from the cotangent of its exit."""
        found = vjp([self.exit], self.parameters, [cotangent])
        return dict(zip(self.parameters, found, strict=True))


@dataclass(frozen=True, eq=False)
class Network:
    """The blocks of a model in the order of its graph; the last gives the output."""

    loss: Node
    blocks: tuple[Block, ...]

    @property
    def output(self) -> Node:
        return self.blocks[-1].exit

    @property
    def hidden(self) -> tuple[Block, ...]:
        """The blocks before the last that have something to learn."""
        return tuple(block for block in self.blocks[:-1] if block.parameters)

    @property
    def error(self) -> Node:
        """The derivative of the loss for the output."""
        return grad(self.loss, self.output)

    def loss_of(self, output: Node) -> Node:
        """The loss if the model had given another output."""
        return copied(self.loss, {self.output: output})

    def joined(self, signals: Signals) -> Signals:
        """The signals, with those of penalties: of parameters that the loss itself reads."""
        read = _back_to({self.output}, self.loss)
        penalised = [parameter for parameter in signals if parameter in read]
        if not penalised:
            return signals
        found = grad(self.loss_of(stop_gradient(self.output)), penalised)
        added = dict(zip(penalised, found, strict=True))
        return {
            parameter: signal + added[parameter] if parameter in added else signal
            for parameter, signal in signals.items()
        }


def copied(node: Node, known: Mapping[Node, Node]) -> Node:
    """The node computed again from other values; what it updates is updated once, by itself."""

    def at(node: Node, inputs: tuple[Node, ...]) -> Node:
        return known[node] if node in known else without_updates(node, inputs)

    return rebuild(Graph((node,)), at).outputs[0]


def weighings_of(rule: str, objective: Objective) -> Sequence[Weighing]:
    """The products with weights in the model whose result the loss judges.

    Raises:
        GraphError: there is no model, or one in which a loop weighs.
    """
    return _Reading(rule, objective).weighings


def network_of(rule: str, objective: Objective, *, chain: bool = False) -> Network:
    """The blocks of the model whose result the loss judges.

    Args:
        rule: the name of who asks.
        objective: what it is to make smaller.
        chain: whether each block must read the one before and nothing else.

    Raises:
        GraphError: there is no model, or one whose layers do not stand apart.
    """
    return _Reading(rule, objective).network(chain=chain)


def model_of(rule: str, given: object) -> Module:
    """The model that a rule is given.

    Raises:
        GraphError: it is none.
    """
    if isinstance(given, Module):
        return given
    told = "no model" if given is None else f"a {type(given).__name__} for a model"
    raise GraphError(
        f"{rule}: it is given {told}, so it does not know the layers",
        hint="give it: minimize(loss, rule=rule, model=model)",
    )


def row_sizes(rule: str, block: Block, network: Network) -> tuple[int, int]:
    """How many values a hidden layer and the output have for each row.

    Raises:
        GraphError: that is not known, or they do not have the same rows.
    """
    hidden, output = block.exit, network.output
    unknown = has_named_size(hidden.shape[1:]) or has_named_size(output.shape[1:])
    if unknown or hidden.shape[:1] != output.shape[:1]:
        raise GraphError(
            f"{rule}: {block.name} gives {hidden.type}, the model {output.type}: "
            "there is no matrix from a row of the one to a row of the other",
            hint="declare all sizes but that of the batch, the first axis, as numbers",
        )
    return row_size(hidden), row_size(output)


def row_size(node: Node) -> int:
    """How many elements it has for each row."""
    return static((product(node.shape[1:]),))[0]


class _Reading:
    def __init__(self, rule: str, objective: Objective) -> None:
        self.rule, self.objective = rule, objective
        self.model = model_of(rule, objective.model)
        self.order = topological([objective.loss])
        own = set(self.model.parameters())
        self.parameters = [each for each in objective.parameters if each in own]
        for each in objective.parameters:
            if each not in own:
                raise self._refused(
                    f"{describe(each)} is no parameter of {self.model.label}",
                    "change those of the model alone: minimize(loss, model.parameters(), ...)",
                )
        self.weights = _made_of(own, self.order)
        self.weighings = [found for node in self.order for found in self._weighing(node)]
        self.box = self._box()
        self.weighings = [each for each in self.weighings if self._is_inside(each.product)]

    def network(self, *, chain: bool) -> Network:
        output = self._output()
        values = _depending_on(set(self.model.parameters()), self.order)
        cuts = dict.fromkeys(each.data for each in self.weighings if each.data in values)
        exits = [*cuts, output]
        blocks = [self._block(exit, set(cuts) - {exit}) for exit in exits]
        self._refuse_shared(blocks)
        if chain:
            self._refuse_branches(blocks)
        return Network(self.objective.loss, tuple(blocks))

    def _weighing(self, node: Node) -> Sequence[Weighing]:
        if isinstance(node.op, Scan) and any(operand in self.weights for operand in node.inputs):
            raise self._refused(
                f"{node.origin.scope} is a loop, in which each step would need its own signals",
                "use learning.Backprop(), or a rule without layers such as "
                "learning.EvolutionStrategies()",
            )
        if not isinstance(node.op, Contract):
            return ()
        made = [operand in self.weights for operand in node.inputs]
        return [Weighing(node, made.index(True))] if sum(made) == 1 else ()

    def _output(self) -> Node:
        """The one value that leaves the box of the model."""
        inside = {node for node in self.order if self._is_inside(node)}
        read = [at for node in self.order if node not in inside for at in node.inputs]
        leaving = list(dict.fromkeys(at for at in read if at in inside))
        if len(leaving) == 1 and leaving[0].type.dtype.is_float:
            return leaving[0]
        raise self._refused(
            f"the loss reads {len(leaving)} values of {self.model.label}, not its result alone",
            "compute the loss from what the model gives, such as losses.cross_entropy(model(x), y)",
        )

    def _is_inside(self, node: Node) -> bool:
        return any(level is self.box for level in node.origin.scopes)

    def _box(self) -> Scope:
        """The box of the model: one of its name, or else the innermost around all its products."""
        around = [each.product.origin.scopes for each in self.weighings]
        boxes = dict.fromkeys(level for levels in around for level in levels)
        named = [level for level in boxes if level.name == self.model.label.text]
        shared = [levels[0] for levels in zip(*around, strict=False) if _are_one(levels)]
        found = named or shared[-1:]
        if len(found) == 1:
            return found[0]
        what = "is applied several times" if around else "has no weights that this loss reads"
        raise self._refused(
            f"{self.model.label} {what}",
            "give the model that gives the loss its values: y = model(x), once",
        )

    def _block(self, exit: Node, others: Set[Node]) -> Block:
        inside = _back_to(others, exit)
        held = tuple(each for each in self.parameters if each in inside)
        weighings = tuple(each for each in self.weighings if each.product in inside)
        entries = list(dict.fromkeys(each.data for each in weighings))
        return Block(entries[0] if len(entries) == 1 else None, exit, held, weighings)

    def _refuse_shared(self, blocks: Sequence[Block]) -> None:
        owner: dict[Node, Block] = {}
        for block in blocks:
            for parameter in block.parameters:
                other = owner.setdefault(parameter, block)
                if other is not block:
                    raise self._shared(parameter, other, block)

    def _shared(self, parameter: Node, first: Block, second: Block) -> GraphError:
        once = {each.product for each in first.weighings} & {
            each.product for each in second.weighings
        }
        if not once:
            return self._refused(
                f"{first.name} and {second.name} share {describe(parameter)}",
                "give each layer weights of its own, or use learning.Backprop()",
            )
        layer = next(iter(once)).origin.scope
        return self._refused(
            f"what {layer} gives passes by the layer after it, so it is part of two",
            "let only values that weights read be added to later ones, or use a rule that needs no "
            "layers apart, such as learning.FeedbackAlignment()",
        )

    def _refuse_branches(self, blocks: Sequence[Block]) -> None:
        before: Node | None = None
        for block in blocks:
            fits = block.entry is not None and (before is None or block.entry is before)
            beside = before is not None and _passes_by(block, before)
            if not fits or beside:
                raise self._refused(
                    f"{block.name} does not read the layer before it and nothing else",
                    "use layers one after another, such as nn.Sequential or nn.MLP; "
                    "learning.DirectFeedbackAlignment() trains models that branch",
                )
            before = block.exit

    def _refused(self, what: str, hint: str) -> GraphError:
        return GraphError(f"{self.rule}: {what}", hint=hint)


def _are_one(levels: Sequence[Scope]) -> bool:
    return all(level is levels[0] for level in levels)


def _made_of(parameters: Set[Node], order: Sequence[Node]) -> Set[Node]:
    """The nodes that are computed from parameters alone."""
    made = set(parameters)
    for node in order:
        if node.inputs and all(at in made or at.op.name == "constant" for at in node.inputs):
            made.add(node)
    return made


def _depending_on(leaves: Set[Node], order: Sequence[Node]) -> Set[Node]:
    found = set(leaves)
    for node in order:
        if any(operand in found for operand in node.inputs):
            found.add(node)
    return found


def _back_to(stops: Set[Node], exit: Node) -> Set[Node]:
    """What a value is computed from, as far as the stops, which are not among it."""
    found: set[Node] = set()
    left = [exit]
    while left:
        node = left.pop()
        if node not in found:
            found.add(node)
            left += [operand for operand in node.inputs if operand not in stops]
    return found


def _passes_by(block: Block, entry: Node) -> bool:
    """Does the block read what lies before its entry, past the entry?"""
    return any(node.op.name == "input" for node in _back_to({entry}, block.exit))
