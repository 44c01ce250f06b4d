"""The chain rule written out for the user's own model, in Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from chainc.autodiff import pull_back, require_scalar, seed
from chainc.dataclass import dataclass
from chainc.ir import Node, describe, topological
from chainc.ir.errors import GradientError, InputError
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import path_of
from chainrule.declare.calls import answers_calls
from chainrule.declare.derivatives import nodes_of
from chainrule.evaluation.backpropagation import backpropagate
from chainrule.evaluation.unrolled import values_by_name, written_out
from chainrule.evaluation.values import Values
from chainrule.teaching.derivations.document import (
    Block,
    Equations,
    to_latex,
    to_latex_file,
    to_markdown,
)
from chainrule.teaching.derivations.model import Model, model_of
from chainrule.teaching.derivations.numbers import Numbers
from chainrule.teaching.derivations.steps import Backward, DerivationStep
from chainrule.teaching.derivations.writing import Blanks, Writing
from chainrule.writing.atomic import write_atomically

__all__ = ["Derivation", "derive"]

MOST_STEPS = 60  # that anybody reads


@answers_calls
@dataclass(frozen=True, repr=False)
class Derivation:
    """A derivation as a value; a notebook shows it.

    Attributes:
        blocks: headings, paragraphs and equations.
        key_blocks: the answer key of an exercise; empty for a derivation without blanks.
    """

    blocks: tuple[Block, ...]
    key_blocks: tuple[Block, ...] = ()

    def markdown(self) -> str:
        """Markdown with LaTeX between dollar signs, as notebooks, GitHub and MyST read it."""
        return to_markdown(self.blocks)

    def latex(self) -> str:
        r"""A fragment to `\input` in a document that uses amsmath and amssymb."""
        return to_latex(self.blocks)

    def document(self) -> str:
        """A whole LaTeX file."""
        return to_latex_file(self.blocks)

    def key(self) -> str:
        """The answer key of an exercise, as Markdown.

        Raises:
            InputError: it is no exercise.
        """
        return to_markdown(self._key())

    def save(self, path: str | Path) -> Path:
        """Write the derivation; the suffix decides the format.

        Args:
            path: ends in `.md`, or in `.tex` for a whole LaTeX file.

        Raises:
            InputError: another suffix, or a folder that cannot be written.
        """
        return _save(self.blocks, path_of("save", path))

    def save_key(self, path: str | Path) -> Path:
        """Write the answer key of an exercise, as `save` does.

        Raises:
            InputError: it is no exercise, another suffix, or a folder that cannot be written.
        """
        return _save(self._key(), path_of("save_key", path))

    def _key(self) -> tuple[Block, ...]:
        if not self.key_blocks:
            raise InputError(
                "derive: a derivation without blanks has no answer key",
                hint="ask for one with cr.derive(loss, weight, exercise=True)",
            )
        return self.key_blocks

    def __str__(self) -> str:
        return self.markdown()

    def __repr__(self) -> str:
        steps = sum(isinstance(block, Equations) for block in self.blocks)
        return f"<derivation with {steps} equations>"

    def _repr_markdown_(self) -> str:
        return self.markdown()


def _save(blocks: Sequence[Block], path: Path) -> Path:
    formats = {".md": to_markdown, ".tex": to_latex_file}
    suffix = path.suffix.lower()
    if suffix not in formats:
        raise InputError(
            f"cannot save a derivation as {path.name!r}: unknown suffix {suffix!r}",
            hint=f"choose one of {', '.join(formats)}",
        )
    try:
        write_atomically(path, formats[suffix](blocks).encode("utf-8", "replace"), durable=False)
    except OSError as error:
        raise InputError(
            f"cannot write {str(path)!r}: {error.strerror or error}",
            hint="choose a folder that exists and may be written to",
        ) from None
    return path


def derive(
    loss: Node,
    wrt: Node | Sequence[Node],
    at: Values | None = None,
    *,
    exercise: bool = False,
    names: Mapping[Node, str] | None = None,
) -> Derivation:
    """Write the chain rule for ∂loss/∂wrt: equations, each factor, sums over paths, the result.

    A loop is written out step by step: backpropagation through time, with its sum over the steps.

    Args:
        loss: a floating-point scalar.
        wrt: a node, or several.
        at: values of the inputs, for a last section with numbers; states that are not given have
            their first values.
        exercise: leave blanks in place of local derivatives and results; `key()` has them.
        names: what to call some nodes, such as {hidden: "h"}; others get the names of the field.

    Raises:
        GradientError: the loss is no scalar, does not depend on `wrt`, or the derivation would
            have more than 60 steps.
        InputError: a value or a name cannot be used.
    """
    require_scalar("derive", loss)
    wanted = list(dict.fromkeys(nodes_of("derive", wrt)))
    named = {} if names is None else names
    as_flag("derive", "exercise", exercise)
    _check(loss, wanted, named)
    (loss, *wanted), named = _written_out(loss, wanted, at, named)
    pulled = pull_back([loss], wanted, [seed(loss)])
    for node in wanted:
        if node not in pulled.totals:
            raise GradientError(
                f"derive: {describe(loss)} does not depend on {describe(node)}",
                hint="differentiate with respect to something the loss is computed from",
            )
    model = model_of(loss, pulled.totals, wanted, named)
    backward = Backward(model, pulled, wanted)
    steps = backward.steps()
    _require_readable(model, steps)
    numbers = None
    if at is not None:
        numbers = Numbers(model, backpropagate(loss, values_by_name(at), wanted, function="derive"))
    blanks = Blanks(exercise)
    writing = Writing(model, backward, steps, wanted, numbers, blanks)
    blocks = tuple(writing.blocks())
    return Derivation(blocks, tuple(writing.key()) if exercise else ())


def _written_out(
    loss: Node, wanted: Sequence[Node], at: Values | None, named: Mapping[Node, str]
) -> tuple[Sequence[Node], Mapping[Node, str]]:
    """The loss and what is wanted with loops written out, and the names of both kinds."""
    nodes, of_steps = written_out([loss, *wanted, *named], at)
    count = 1 + len(wanted)
    given = dict(zip(nodes[count:], named.values(), strict=True))
    leaves = {node.op.label.rpartition("/")[2] for node in topological(nodes) if not node.inputs}
    taken = {*given.values(), *leaves}
    inside = set(topological(nodes[:1]))
    for node, name in of_steps.items():
        if node in inside and node not in given and name not in taken:
            given[node] = name
            taken.add(name)
    return nodes[:count], given


def _check(loss: Node, wanted: Sequence[object], names: Mapping[Node, str]) -> None:
    if not wanted or not all(isinstance(node, Node) for node in wanted):
        raise InputError(
            f"derive: {wanted!r} is no node to differentiate with respect to",
            hint="give a node, such as cr.derive(loss, weight), or a list of nodes",
        )
    if not isinstance(names, Mapping):
        raise InputError(
            f"derive: the names are a {type(names).__name__}, not a dictionary",
            hint='give a name for each node, such as names={hidden: "h"}',
        )
    given: list[tuple[object, object]] = list(names.items())
    for node, name in given:
        if not isinstance(node, Node) or not isinstance(name, str) or not name.strip():
            raise InputError(
                f"derive: names has {node!r}: {name!r}, not a name for a node",
                hint='give names by node, such as names={hidden: "h"}',
            )
    for node in names.keys() - set(topological([loss])):
        raise InputError(
            f"derive: names has {describe(node)}, which the loss is not computed from",
            hint="name nodes of the loss's own graph",
        )
    if len(set(names.values())) < len(names):
        raise InputError(
            "derive: two nodes have the same name", hint="give each node a name of its own"
        )


def _require_readable(model: Model, steps: Sequence[DerivationStep]) -> None:
    if max(len(steps), len(model.equations)) <= MOST_STEPS:
        return
    nearer = steps[min(MOST_STEPS, len(steps)) // 2].node
    raise GradientError(
        f"derive: the derivation would have {len(steps)} steps over {len(model.equations)} "
        f"equations, more than {MOST_STEPS}",
        hint=f"derive with respect to a node nearer to the loss, such as {describe(nearer)}, and "
        "from there on with cr.sum(node * gradient) as the loss; or derive a smaller model of "
        "the same kind",
    )
