"""What a learning rule is, where it is more than a function: a name, settings, and signals."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir import Node

if TYPE_CHECKING:
    from chainrule.nn.module import Module

__all__ = ["Objective", "Rule", "Signals"]

Signals = Mapping[Node, Node]  # by parameter, each of its parameter's type


@dataclass(frozen=True, eq=False)
class Objective:
    """What a rule is asked to make smaller, and by which parameters.

    Attributes:
        loss: a floating-point scalar.
        parameters: those to change.
        model: the layers whose result the loss judges, where they were given.
    """

    loss: Node
    parameters: tuple[Node, ...]
    model: Module | None = None


class Rule(ABC):
    """A learning rule: it gives each parameter a signal, against which an optimizer moves it.

    A subclass is a frozen dataclass with its settings.
    """

    @property
    def name(self) -> str:
        """That of the class: direct_feedback_alignment."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()

    @abstractmethod
    def signals(self, objective: Objective) -> Signals:
        """A signal for each of the parameters, and for those that the rule keeps for itself.

        Raises:
            GraphError: the rule cannot train what is given.
        """
