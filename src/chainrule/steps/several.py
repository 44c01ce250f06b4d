"""Several steps on each minibatch, one after another, each reading what the one before has written.

Their optimizers may call scalars alike, so each name gets that of its step: `d_lr`, `g_lr`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field, replace

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, apply, describe, substitute
from chainc.ir.errors import GraphError
from chainc.ir.leaves import Input
from chainrule.declare.arguments import part_name
from chainrule.declare.graphs import Turn
from chainrule.declare.leaves import step_counter
from chainrule.steps.step import Step, check_names


@dataclass(frozen=True, eq=False)
class SeveralSteps(Step):
    """Steps as one; `loss` is that of the first.

    Attributes:
        losses: of each step, by its name.
        turns: what each computes, in order.
    """

    losses: Mapping[str, Node] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()

    @property
    def outputs(self) -> tuple[Node, ...]:
        """The losses."""
        return tuple(self.losses.values())

    @property
    def names(self) -> tuple[str, ...]:
        """`d_loss`, `g_loss`."""
        return tuple(f"{name}_loss" for name in self.losses)


def one_after_another(steps: Mapping[str, Step]) -> Step:
    """The steps as one; a single one is itself.

    Raises:
        GraphError: two of them update one slot.
        InputError: a name is none.
    """
    if len(steps) == 1:
        return next(iter(steps.values()))
    for name in steps:
        part_name("training: step", name)
    _refuse_shared(steps)
    shared = Counter(key for step in steps.values() for key in step.hyperparameters)
    own = {name: _with_own_names(name, step, shared) for name, step in steps.items()}
    updates = {slot: new for step in own.values() for slot, new in step.updates.items()}
    check_names(updates)
    return SeveralSteps(
        loss=next(iter(own.values())).loss,
        updates=updates,
        parameters=tuple(p for step in own.values() for p in step.parameters),
        gradients=tuple(g for step in own.values() for g in step.gradients),
        hyperparameters={k: n for step in own.values() for k, n in step.hyperparameters.items()},
        averages={p: kept for step in own.values() for p, kept in step.averages.items()},
        losses={name: step.loss for name, step in own.items()},
        turns=tuple(Turn(place, tuple(step.updates)) for place, step in enumerate(own.values())),
    )


def _refuse_shared(steps: Mapping[str, Step]) -> None:
    written: dict[Node, str] = {}
    for name, step in steps.items():
        for slot in step.updates:
            other = written.setdefault(slot, name)
            if other != name and slot is not step_counter():
                raise GraphError(
                    f"training: the steps {other!r} and {name!r} both update {describe(slot)}",
                    hint="give each step parameters of its own: minimize(loss, parameters=[...])",
                )


def _with_own_names(name: str, step: Step, shared: Mapping[str, int]) -> Step:
    """The step with the hyperparameters renamed that others have too."""
    renamed: dict[Node, Node] = {}
    named: dict[str, Node] = {}
    for key, node in step.hyperparameters.items():
        assert isinstance(node.op, Input)
        mine = key if shared[key] == 1 else f"{name}_{key}"
        named[mine] = renamed[node] = apply(replace(node.op, key=mine))

    values = (*step.updates.values(), *step.gradients)
    found = substitute(Graph(values), renamed).outputs
    return replace(
        step,
        updates=dict(zip(step.updates, found, strict=False)),
        gradients=found[len(step.updates) :],
        hyperparameters=named,
    )
