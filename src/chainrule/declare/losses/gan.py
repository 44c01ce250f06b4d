"""The losses of generative adversarial networks, from logits.

A discriminator's logit says how real a row looks: σ(logit) is the probability. Where it cannot
tell, all logits are 0, its loss is 2 ln 2 = 1.386 and the generator's ln 2 = 0.693.
"""

from __future__ import annotations

from chainc.ir import Node, scope
from chainc.ops import mean, softplus
from chainrule.declare.losses.checks import check_float

__all__ = ["discriminator", "generator"]


def __dir__() -> list[str]:
    return list(__all__)


def discriminator(real_logits: Node, fake_logits: Node) -> Node:
    """The mean of -ln σ(real) and that of -ln(1 - σ(fake)), added (Goodfellow et al. 2014).

    As softplus(-real) and softplus(fake), which no logit overflows. Batches of real and of
    generated rows may differ in size. Give `cr.stop_gradient` of the generated rows to the
    discriminator: its step is no step of the generator.

    Args:
        real_logits: floating-point, what the discriminator gives for real rows.
        fake_logits: what it gives for generated ones.

    Raises:
        DTypeError: either is not floating-point.
    """
    check_float("discriminator", "real_logits", real_logits)
    check_float("discriminator", "fake_logits", fake_logits)
    with scope("discriminator"):
        return mean(softplus(-real_logits)) + mean(softplus(fake_logits))


def generator(fake_logits: Node) -> Node:
    """The mean of -ln σ(fake), as softplus(-fake): the form that does not saturate.

    Its gradient is largest where the discriminator is sure that a row is generated, where that of
    ln(1 - σ(fake)) vanishes (Goodfellow et al. 2014, section 3).

    Args:
        fake_logits: floating-point, what the discriminator gives for generated rows.

    Raises:
        DTypeError: they are not floating-point.
    """
    check_float("generator", "fake_logits", fake_logits)
    with scope("generator"):
        return mean(softplus(-fake_logits))
