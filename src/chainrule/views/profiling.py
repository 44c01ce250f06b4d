"""Asks a target what the kernels of a program take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.backends.target import Target
from chainc.backends.timing import TimingTarget
from chainc.ir import Graph
from chainc.ir.errors import GraphError
from chainc.ir.types import Array
from chainc.lowering.program import Program, TrainingLoop
from chainrule.declare.arguments import count
from chainrule.views.profile import Profile, profile_of


def profile_of_training(
    target: Target,
    loop: TrainingLoop,
    graphs: Sequence[Graph],
    rows: Mapping[str, Array],
    state: Mapping[str, Array],
    steps: int | None,
) -> Profile:
    """Of a step over a whole batch; `state` is changed."""
    _check_count("steps", steps)
    whole = len(rows[loop.batch_inputs[0]]) // loop.batch_size * loop.batch_size
    data = {key: x[:whole] if key in loop.batch_inputs else x for key, x in rows.items()}
    timing = _timing(target).time_training(loop, data, state, steps)
    sizes = dict.fromkeys(loop.step.size_names, loop.batch_size)
    return profile_of("step", target.name, timing, graphs, sizes)


def profile_of_function(
    target: Target,
    program: Program,
    graphs: Sequence[Graph],
    given: tuple[Sequence[Array], tuple[int, ...]],
    state: Mapping[str, Array],
    runs: int | None,
) -> Profile:
    """Of a call with these inputs, for these sizes; `state` is changed."""
    _check_count("runs", runs)
    inputs, sizes = given
    named = dict(zip(program.size_names, sizes, strict=True))
    timing = _timing(target).time_function(graphs[-1], program, inputs, state, sizes, runs)
    return profile_of("call", target.name, timing, graphs, named)


def _check_count(name: str, value: int | None) -> None:
    if value is not None:
        count("profile", name, value, hint=f"give 1 or more, or leave {name} out")


def _timing(target: Target) -> TimingTarget:
    if isinstance(target, TimingTarget):
        return target
    raise GraphError(
        f"the target {target.name!r} does not say what a kernel takes",
        hint='compile for "llvm" or "numpy"',
    )
