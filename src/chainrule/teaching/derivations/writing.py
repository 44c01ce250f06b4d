"""The document of a derivation: names, the model, the chain rule, the result, the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from itertools import pairwise

from chainc.dataclass import dataclass
from chainc.formulas import blackboard
from chainc.formulas.blackboard import Written
from chainc.formulas.local_derivative import handed_back
from chainc.ir import Node
from chainc.ir.leaves import Slot
from chainc.ops.contract import Contract
from chainrule.teaching.derivations.document import Block, Equations, Heading, Paragraph, Table
from chainrule.teaching.derivations.formulas import shape_latex
from chainrule.teaching.derivations.model import Model
from chainrule.teaching.derivations.numbers import Numbers, array_latex
from chainrule.teaching.derivations.steps import Backward, DerivationStep, Term

MOST_PATHS = 4  # that are written out factor by factor


@dataclass
class Blanks:
    """Gaps in place of formulas, each with its solution."""

    leaving: bool
    solutions: list[str] = field(default_factory=list)

    def of(self, formula: str) -> str:
        if not self.leaving:
            return formula
        self.solutions.append(formula)
        return rf"\boxed{{\;({len(self.solutions)})\;}}"


@dataclass(frozen=True)
class Writing:
    """Writes the sections."""

    model: Model
    backward: Backward
    steps: Sequence[DerivationStep]
    wanted: Sequence[Node]
    numbers: Numbers | None
    blanks: Blanks

    def blocks(self) -> list[Block]:
        found = [*self._names(), *self._forward(), *self._chain(), *self._result()]
        return found if self.numbers is None else [*found, *self._at_the_point()]

    def title(self) -> Heading:
        wanted = ", ".join(f"${self._gradient(node)}$" for node in self.wanted)
        return Heading(f"Derivation of {wanted}", 1)

    def key(self) -> list[Block]:
        """The solutions of the blanks, then the result and the numbers."""
        solved = Writing(self.model, self.backward, self.steps, self.wanted, self.numbers,
                         Blanks(False))  # fmt: skip
        lines = [f"({i}) &\\quad {text}" for i, text in enumerate(self.blanks.solutions, start=1)]
        numbers = [] if self.numbers is None else solved._at_the_point()
        return [Heading("Answer key", 1), Equations(tuple(lines)), *solved._result(), *numbers]

    def _gradient(self, node: Node) -> str:
        return self.backward.gradient(node).latex

    def _name(self, node: Node) -> str:
        return self.model.names[node].latex

    def _names(self) -> list[Block]:
        rows = tuple(
            (f"${self._name(node)}$", _meaning(node), _shape(node)) for node in self.model.leaves
        )
        return [self.title(), Table(("Name", "Meaning", "Shape"), rows)]

    def _forward(self) -> list[Block]:
        lines = [
            f"{self._name(node)} &= {self.model.right_side(node).latex}{_space(node)}"
            for node in self.model.equations
        ]
        return [Heading("The model, forward"), Equations(tuple(lines))]

    def _chain(self) -> list[Block]:
        rule = "The gradient of each quantity is the gradient of what is computed from it, times "
        rule += "the local derivative; where several things are computed from it, their parts add "
        rule += r"up. $\odot$ multiplies element by element."
        found: list[Block] = [Heading("The chain rule, backward"), Paragraph(rule)]
        for node in self.wanted:
            found += self._paths(node)
        found += self._steps()
        return found

    def _steps(self) -> list[Block]:
        found: list[Block] = []
        for number, step in enumerate(self.steps, start=1):
            found.append(Paragraph(" ".join(self._explanation(step)), f"Step {number}."))
            found.append(Equations(tuple(self._lines(step))))
        return found

    def _paths(self, node: Node) -> list[Block]:
        """The chain of local derivatives along each path, where they are few."""
        readers = {step.node: [term.reader for term in step.terms] for step in self.steps}
        paths = _paths_from(node, readers)
        if not paths:
            return []
        products = [
            " ".join(self._local(before, after) for before, after in reversed(list(pairwise(path))))
            for path in paths
        ]
        lines = [f"{self._gradient(node)} &= {products[0]}", *(f"&+ {p}" for p in products[1:])]
        return [Equations(tuple(lines))] if len(paths[0]) > 2 or len(paths) > 1 else []

    def _lines(self, step: DerivationStep) -> list[str]:
        readers = _readers(step)
        chains = [self._symbolic(step.node, reader) for reader in readers]
        if len(chains) > 1:
            chains = [
                rf"\underbrace{{{chain}}}_{{\text{{by way of }} {self._name(reader)}}}"
                for chain, reader in zip(chains, readers, strict=True)
            ]
        put_in = blackboard.total([self._blanked(step, term) for term in step.terms])
        name, last = self._gradient(step.node), f"&= {put_in.latex}{_space(step.node)}"
        if chains == [name]:  # the loss is computed from it directly
            return [f"{name} {last}"]
        return [f"{name} &= {' + '.join(chains)}", last]

    def _symbolic(self, node: Node, reader: Node) -> str:
        local, above = self._local(node, reader), self.backward.gradient(reader)
        return local if above.text == "1" else f"{above.latex} {local}"

    def _local(self, node: Node, reader: Node) -> str:
        """∂reader/∂node, marked as direct where other paths lead from the node to the loss."""
        local = blackboard.partial(self.model.names[reader], self.model.names[node]).latex
        if reader is not self.model.graph.outputs[0] or node not in self._with_detours:
            return local
        return rf"\left. {local} \right|_{{\text{{direct}}}}"

    @property
    def _with_detours(self) -> set[Node]:
        return {step.node for step in self.steps if len(_readers(step)) > 1}

    def _blanked(self, step: DerivationStep, term: Term) -> Written:
        if not self.blanks.leaving:
            return term.written
        if term.factor is None:
            return Written("blank", self.blanks.of(term.written.latex))
        gap = Written("blank", self.blanks.of(term.factor.latex))
        return self.backward.with_factor(step, term, gap)

    def _explanation(self, step: DerivationStep) -> list[str]:
        name = f"${self._name(step.node)}$"
        readers = [f"${self._name(reader)}$" for reader in _readers(step)]
        found = []
        if any(term.node in self.model.boxes for term in step.terms):
            found.append("The derivative of the whole loss has a short form.")
        if len(readers) > 1:
            listed = f"{', '.join(readers[:-1])} and {readers[-1]}"
            found.append(f"{name} is used in {listed}, so the parts of all paths add up.")
        for term in step.terms:
            if term.summed:
                axes = " and ".join(blackboard.escaped(axis) for axis in term.summed)
                found.append(f"{name} is repeated along {axes}, so its gradient is summed over it.")
            if self.model.is_slid(term.node):
                found.append("Each pixel meets every tap; a gradient outside its positions is 0.")
            if isinstance(term.node.op, Contract) and not found:
                found += self._shapes(step, term, term.node.op)
        return found if self.blanks.leaving else [*found, *self._local_derivatives(step)]

    def _local_derivatives(self, step: DerivationStep) -> list[str]:
        """In words before the equations, unless the equation says nothing else."""
        factors: dict[Node, list[Written]] = {}
        for term in step.terms:
            if term.factor is not None and term.node not in self.model.boxes:
                factors.setdefault(term.reader, []).append(term.factor)
        known = [
            f"${self._local(step.node, reader)} = {blackboard.total(parts).latex}$"
            for reader, parts in factors.items()
        ]
        loss = self.model.graph.outputs[0]
        if not known or (len(step.terms) == 1 and step.terms[0].reader is loss):
            return []
        return [f"Local derivative{'s' if len(known) > 1 else ''}: {', '.join(known)}."]

    def _shapes(self, step: DerivationStep, term: Term, op: Contract) -> list[str]:
        (position,) = term.positions
        product = handed_back(op, position)
        turned = product.as_matrices()
        shapes = [term.reader.shape, term.node.inputs[1].shape]
        if position == 1:
            shapes = [term.node.inputs[0].shape, term.reader.shape]
        if turned is None or any(len(shape) != 2 for shape in shapes):
            return []
        left, right = (
            shape_latex(shape[::-1] if flip else shape)
            for shape, flip in zip(shapes, turned, strict=True)
        )
        result = shape_latex(step.node.shape)
        return [rf"Shapes: $({left}) \, ({right})$ gives ${result}$."]

    def _result(self) -> list[Block]:
        results = {step.node: step.result.latex for step in self.steps}
        lines = [
            f"{self._gradient(node)} &= {self.blanks.of(results[node])}{_space(node)}"
            for node in self.wanted
            if node in results
        ]
        return [Heading("The result"), Equations(tuple(lines))] if lines else []

    def _at_the_point(self) -> list[Block]:
        assert self.numbers is not None
        values, gradients = self.numbers.found.values, self.numbers.found.gradients
        shown = [*self.model.leaves, *self.model.equations]
        forward = [f"{self._name(node)} &= {array_latex(values[node])}" for node in shown]
        if self.blanks.leaving:
            lines = [
                f"{self._gradient(node)} &= {self.blanks.of(array_latex(gradients[node]))}"
                for node in self.wanted
            ]
        else:
            names = {step.node: self._gradient(step.node) for step in self.steps}
            lines = [line for step in self.steps for line in self.numbers.lines(step, names)]
        return [Heading("With numbers"), Paragraph("", "Forward:"), Equations(tuple(forward)),
                Paragraph("", "Backward:"), Equations(tuple(lines))]  # fmt: skip


def _readers(step: DerivationStep) -> list[Node]:
    return list(dict.fromkeys(term.reader for term in step.terms))


def _shape(node: Node) -> str:
    return f"${shape_latex(node.shape)}$" if node.ndim else "scalar"


def _space(node: Node) -> str:
    return rf" && \in \mathbb{{R}}^{{{shape_latex(node.shape)}}}" if node.ndim else ""


def _meaning(node: Node) -> str:
    kind = "input"
    if isinstance(node.op, Slot):
        kind = "parameter" if node.op.trainable else "state"
    elif node.op.name == "constant":
        return "constant"
    return rf"{kind} $\text{{{blackboard.escaped(node.op.label)}}}$"


def _paths_from(node: Node, readers: Mapping[Node, Sequence[Node]]) -> list[list[Node]]:
    """All paths from a node to the loss; none where there are too many to write."""
    paths, done = [[node]], []
    while paths:
        path = paths.pop(0)
        following = list(dict.fromkeys(readers.get(path[-1], ())))
        if not following:
            done.append(path)
        paths += [[*path, reader] for reader in following]
        if len(paths) + len(done) > MOST_PATHS:
            return []
    return done
