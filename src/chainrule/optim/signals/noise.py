"""Random numbers that are added to signals."""

from __future__ import annotations

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ops import astype, normal
from chainrule.declare.arguments import number
from chainrule.declare.leaves import step_counter
from chainrule.optim.signals.rule import Signals

__all__ = ["noise"]


@dataclass(frozen=True)
class Noise:
    """Normal numbers that get smaller from step to step."""

    deviation: float
    decay: float

    def __call__(self, signals: Signals) -> Signals:
        return {parameter: self._with_noise(signal) for parameter, signal in signals.items()}

    def _with_noise(self, signal: Node) -> Node:
        dtype = signal.type.dtype
        with scope("noise"):
            steps = astype(step_counter(), dtype) + 1.0
            scale = self.deviation * steps ** (-0.5 * self.decay)
            return signal + scale * normal(signal.shape, dtype=dtype)


def noise(deviation: float, decay: float = 0.55) -> Noise:
    """Normal noise on every signal, of variance deviation² / (1 + t)^decay after t steps.

    It helps out of flat and bad places early, and fades (Neelakantan et al., 2015, with a decay of
    0.55). Each step and parameter draws its own numbers, from the run's seed.

    Raises:
        InputError: the deviation is not positive, or the decay is negative.
    """
    number("noise", "deviation", deviation, above=0, hint="give a small number: optim.noise(0.1)")
    number("noise", "decay", decay, at_least=0, hint="give decay=0.55, or 0 for none")
    return Noise(deviation, decay)
