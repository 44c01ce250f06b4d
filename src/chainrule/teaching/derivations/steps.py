"""The backward pass as steps: what each reader of a quantity adds to its gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from chainc.autodiff import Contribution, Pullback
from chainc.dataclass import dataclass
from chainc.formulas import blackboard
from chainc.formulas.blackboard import Written
from chainc.formulas.local_derivative import written_derivative
from chainc.ir import Node
from chainc.ops.elementwise import Elementwise
from chainrule.teaching.derivations.formulas import axis_name, over_axes
from chainrule.teaching.derivations.model import Model
from chainrule.teaching.derivations.windows import Convolution

LONGEST = 90  # characters of a gradient that is written out in place of its name


@dataclass(frozen=True)
class Term:
    """One path's part of a gradient.

    Attributes:
        reader: the quantity through which the path goes.
        node: the op that reads, which stands in the reader's equation.
        positions: its operands that are the quantity; empty for a closed loss.
        factor: the local derivative, where it is a formula of one element.
        written: the whole term, ∂L/∂reader by its name.
        substituted: the same with ∂L/∂reader written out, where that is short enough.
        summed: axes over which the term is summed, since the op repeated the operand along them.
        entrywise: whether the factor multiplies element by element.
    """

    reader: Node
    node: Node
    positions: tuple[int, ...]
    factor: Written | None
    written: Written
    substituted: Written
    summed: tuple[str, ...]
    entrywise: bool


@dataclass(frozen=True)
class DerivationStep:
    """∂L/∂node as the sum of its terms.

    Attributes:
        node: a named quantity.
        terms: one for each path on which it is read.
        result: the gradient with what is known put in; its own name where that is too long.
    """

    node: Node
    terms: tuple[Term, ...]
    result: Written


@dataclass(frozen=True)
class Backward:
    """Writes the steps, the quantity nearest to the loss first."""

    model: Model
    pulled: Pullback
    wanted: Sequence[Node]

    def steps(self) -> list[DerivationStep]:
        results: dict[Node, Written] = {}
        steps: list[DerivationStep] = []
        leading = self._leading()
        for node, contributions in self.pulled.contributions.items():
            if node not in leading or node not in self.model.names:
                continue
            terms = tuple(sorted(self._terms(node, contributions, results), key=self._place))
            result = blackboard.total([term.substituted for term in terms])
            short = len(result.text) <= LONGEST
            results[node] = result if short else self.gradient(node)
            steps.append(DerivationStep(node, terms, result))
        return steps

    def _leading(self) -> set[Node]:
        """The nodes whose gradient is part of a wanted one, without the loss."""
        leading = set(self.wanted)
        for node, contributions in reversed(list(self.pulled.contributions.items())):
            if node in leading:
                leading.update(each.reader for each in contributions if each.reader is not None)
        return leading - {self.model.graph.outputs[0]}

    def _place(self, term: Term) -> tuple[int, int]:
        """What is read by the loss itself first, then in the order of the forward pass."""
        reader = -1 if term.reader is self.model.graph.nodes[-1] else self._order[term.reader]
        return reader, self._order[term.node]

    @cached_property
    def _order(self) -> Mapping[Node, int]:
        return {node: place for place, node in enumerate(self.model.graph.nodes)}

    def gradient(self, node: Node) -> Written:
        """`∂L/∂node`, or 1 for the loss itself."""
        loss = self.model.graph.outputs[0]
        if node is loss:
            return blackboard.number(1)
        return blackboard.partial(self.model.names[loss], self.model.names[node])

    def with_factor(self, step: DerivationStep, term: Term, factor: Written) -> Written:
        """The term with something else in place of its local derivative."""
        product = _times(self.gradient(term.reader), factor, term.entrywise)
        axes = _repeated_axes(step.node, term.node) if term.positions else ()
        return _summed(product, term.node, axes)

    def _terms(
        self, node: Node, contributions: Sequence[Contribution], results: Mapping[Node, Written]
    ) -> list[Term]:
        """Operands of one op that have the same derivative become one term: x·x gives 2·x."""
        groups: dict[Node, list[int]] = {}
        for each in contributions:
            assert each.reader is not None
            box = self.model.boxes.get(self.model.head(each.reader))
            reader = each.reader if box is None or each.reader not in box.inside else box.root
            groups.setdefault(reader, []).append(each.position)
        terms: list[Term] = []
        for reader, positions in groups.items():
            if reader in self.model.boxes:
                terms.append(self._closed(reader))
                continue
            alike: dict[str, list[int]] = {}
            for position in positions:
                alike.setdefault(self._local(reader, position, results).text, []).append(position)
            terms += [self._term(node, reader, tuple(same), results) for same in alike.values()]
        return terms

    def _closed(self, root: Node) -> Term:
        box = self.model.boxes[root]
        factor = box.derivative(self.model.write(box.prediction), self.model.write(box.target))
        above = self.gradient(root)
        written = factor if above.text == "1" else blackboard.product([above, factor])
        return Term(root, root, (), factor, written, written, (), False)

    def _local(self, reader: Node, position: int, results: Mapping[Node, Written]) -> Written:
        above = results.get(self.model.head(reader), self.gradient(self.model.head(reader)))
        return self._derivative(reader, position, above)

    def _derivative(self, reader: Node, position: int, above: Written) -> Written:
        if self.model.slides(reader):
            image, _ = self.model.slid(reader)
            return Convolution.of(reader).to_kernel(image, above)
        if self.model.is_slid(reader):
            convolution = self.model.heads[reader]
            _, kernel = self.model.slid(convolution)
            return Convolution.of(convolution).to_image(above, kernel)
        operands = [self.model.write(operand) for operand in reader.inputs]
        return written_derivative(reader, position, operands, self.model.write(reader), above)

    def _term(
        self, node: Node, reader: Node, positions: tuple[int, ...], results: Mapping[Node, Written]
    ) -> Term:
        head = self.model.head(reader)
        above = self.gradient(head)
        known = results.get(head, above)
        entrywise = isinstance(reader.op, Elementwise)
        if not entrywise:
            written, put_in = (self._derivative(reader, positions[0], g) for g in (above, known))
            return Term(head, reader, positions, None, written, put_in, (), False)
        factor = self._derivative(reader, positions[0], above)
        if len(positions) > 1:
            factor = _sorted_product([blackboard.number(len(positions)), factor])
        tensors = reader.ndim > 0 and not _is_number(factor)
        axes = _repeated_axes(node, reader)
        names = tuple(axis_name(reader.shape, axis) for axis in axes)
        written, put_in = (
            _summed(_times(g, factor, tensors), reader, axes) for g in (above, known)
        )
        return Term(head, reader, positions, factor, written, put_in, names, tensors)


def _is_number(factor: Written) -> bool:
    return factor.text.lstrip("−").replace(".", "").replace("/", "").isdigit()


def _times(above: Written, factor: Written, tensors: bool) -> Written:
    if factor.text in ("1", "−1"):
        return above if factor.text == "1" else blackboard.negative(above)
    if above.text in ("1", "−1"):
        return factor if above.text == "1" else blackboard.negative(factor)
    if tensors:
        return blackboard.entrywise_product(above, factor)
    return _sorted_product([above, factor])


def _sorted_product(factors: Sequence[Written]) -> Written:
    """Numbers first: `2·x`, not `x·2`."""
    return blackboard.product(sorted(factors, key=lambda factor: not _is_number(factor)))


def _repeated_axes(operand: Node, reader: Node) -> tuple[int, ...]:
    extra = reader.ndim - operand.ndim
    kept = (axis + extra for axis, dim in enumerate(operand.shape)
            if dim == 1 and reader.shape[axis + extra] != 1)  # fmt: skip
    return (*range(extra), *kept)


def _summed(term: Written, reader: Node, axes: Sequence[int]) -> Written:
    return over_axes("Σ", reader.shape, axes, term) if axes else term
