"""A derivative given by the user in place of the one that follows from the ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from chainc.ir import Node, Op, Sample, describe
from chainc.ir.errors import GradientError
from chainc.ir.kernels import Kernels
from chainc.ir.types import TensorType, int32

__all__: list[str] = []  # made by `chainrule.custom_gradient`, not called by name

T = TypeVar("T")

Cotangents = Node | Sequence[Node | None] | None


@dataclass(frozen=True)
class CustomGradient(Op):
    """y = the first operand; its cotangent goes to the others, by way of `backward`.

    The others are the arguments that the first was computed from. A Python function cannot be
    written as text, so a graph that holds this op can be printed and not parsed back.
    """

    name = "custom_gradient"
    backward_rules = ("0", "{G} by the rule the user gave")
    title: str
    backward: Callable[[Node], Cotangents]

    def infer(self, y: TensorType, *arguments: TensorType) -> TensorType:
        return y

    def kernel(self, k: Kernels[T], result: TensorType, y: T, *arguments: T) -> T:
        return k.reshape(result, y)

    def vjp(self, g: Node, y: Node, value: Node, *arguments: Node) -> Sequence[Node | None]:
        given = self.backward(g)
        cotangents = [given] if isinstance(given, Node) or given is None else list(given)
        if len(cotangents) != len(arguments):
            raise GradientError(
                f"the custom gradient of {describe(y)} gave {len(cotangents)} cotangents for "
                f"{len(arguments)} arguments",
                hint="return one for each argument, None where no derivative flows",
            )
        for position, (cotangent, argument) in enumerate(
            zip(cotangents, arguments, strict=True), start=1
        ):
            self._check(y, position, cotangent, argument)
        return None, *cotangents

    @staticmethod
    def _check(y: Node, position: int, cotangent: object, argument: Node) -> None:
        if cotangent is None:
            return
        if isinstance(cotangent, Node) and cotangent.type == argument.type:
            return
        got = describe(cotangent) if isinstance(cotangent, Node) else type(cotangent).__name__
        raise GradientError(
            f"the custom gradient of {describe(y)} gave {got} for argument {position}, which is "
            f"{describe(argument)}",
            hint=f"return a cotangent of type {argument.type}, or None where none flows",
        )

    @property
    def label(self) -> str:
        return self.title

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        # integers, for which no derivative is compared with one that was given on purpose
        x = TensorType((2, 3), int32)
        return [Sample(cls("custom", lambda g: g), (x, x)), Sample(cls("custom", tuple), (x,))]
