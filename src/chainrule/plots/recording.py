"""Trainings whose states are kept, one after each epoch or step: what the plots over time read."""

from __future__ import annotations

from collections.abc import Mapping

from chainc.dataclass import dataclass
from chainc.ir.errors import InputError
from chainrule.compiled.function import Function, Numbers
from chainrule.compiled.state import State
from chainrule.compiled.training import TrainingProgram
from chainrule.declare.arguments import count
from chainrule.evaluation.values import Values


@dataclass(frozen=True)
class Recording:
    """A training seen step by step.

    Attributes:
        states: the one before training, then one after each epoch (or step).
        history: as of a run: a number for each epoch (or step).
    """

    states: tuple[State, ...]
    history: Mapping[str, tuple[float, ...]]


def record(
    program: TrainingProgram,
    data: Values,
    *,
    epochs: int,
    validation: Values | None = None,
    state: State | None = None,
    **hyperparameters: float,
) -> Recording:
    """Train epoch by epoch and keep every state; the bits are those of one long run.

    All states stay in memory. Where batch_size is the number of rows, an epoch is one step.

    Args:
        program: a compiled training.
        data: as for `program.run`.
        epochs: how many; fewer are kept if Ctrl-C ends a run.
        validation: as for `program.run`.
        state: where to begin; by default the initial state.
        hyperparameters: as for `program.run`.

    Raises:
        InputError: the program is no training, or as `program.run`.
        StateError: a state that does not fit.
    """
    if not isinstance(program, TrainingProgram):
        raise InputError(
            f"record: a {type(program).__name__} is no compiled training",
            hint="give cr.compile(cr.training(step, ...)), or use record_steps for a step alone",
        )
    count("record", "epochs", epochs, hint="record at least one epoch")
    states = [program.initial_state() if state is None else state]
    history: dict[str, tuple[float, ...]] = {}
    for _ in range(epochs):
        result = program.run(
            data,
            validation=validation,
            state=states[-1],
            epochs=1,
            progress=False,
            callbacks=(),
            resume=None,
            **hyperparameters,
        )
        states.append(result.state)
        for name, values in result.history.items():
            history[name] = (*history.get(name, ()), *values)
        if result.interrupted:
            break
    return Recording(tuple(states), history)


def record_steps(
    step: Function[tuple[Numbers, ...]],
    values: Values | None = None,
    *,
    steps: int,
    state: State | None = None,
) -> Recording:
    """Do a compiled step again and again on the same values, and keep every state.

    For losses without minibatches, such as a function of two parameters. The history holds the
    loss before each step.

    Args:
        step: from `cr.compile(optimizer.minimize(loss))`.
        values: the inputs, if the loss has any.
        steps: how many.
        state: where to begin; by default the initial state.

    Raises:
        InputError: it is no compiled step, or the values do not fit.
        StateError: a state that does not fit.
    """
    given: object = step
    if not isinstance(given, Function) or not step.declared.updates:
        raise InputError(
            "record_steps: what is given is no compiled step",
            hint="give cr.compile(optimizer.minimize(loss))",
        )
    count("record_steps", "steps", steps, hint="record at least one step")
    bound = step.bind(step.initial_state() if state is None else state)
    states, losses = [bound.state], []
    for _ in range(steps):
        losses.append(float(bound(values)[0]))
        states.append(bound.state)
    return Recording(tuple(states), {"loss": tuple(losses)})
