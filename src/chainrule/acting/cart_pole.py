"""A pole on a cart, to be balanced (Barto, Sutton and Anderson, 1983)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.leaves import constant
from chainc.ops import abs, broadcast_to, cos, equal, logical_or, sin, stack, uniform, where

GRAVITY = 9.8
CART, POLE = 1.0, 0.1  # masses
HALF = 0.5  # of the pole's length
PUSH = 10.0
TICK = 0.02  # seconds
BORDER = 2.4  # how far the cart may go
LEAN = 12 * math.pi / 180  # and the pole


@dataclass(frozen=True)
class CartPole:
    """Push a cart to the left (0) or to the right (1) so that its pole stays upright.

    Numbers and rules are those of Gymnasium's CartPole-v1: each step has reward 1, the last one
    too, and an episode ends where the cart leaves the track or the pole leans more than 12°. So
    many steps as an episode has at most are the limit of who plays: 500 there. What is observed
    are place and speed of the cart, angle and angular speed of the pole.
    """

    actions = 2

    def reset(self, episodes: int) -> Sequence[Node]:
        """Nearly upright in the middle: four numbers from [-0.05, 0.05)."""
        return [uniform((episodes,), low=-0.05, high=0.05) for _ in range(4)]

    def step(self, state: Sequence[Node], action: Node) -> tuple[Sequence[Node], Node, Node]:
        """A tick of Euler's method."""
        place, speed, angle, turning = state
        push = where(equal(action, 1), PUSH, -PUSH)
        sine, cosine = sin(angle), cos(angle)
        swing = (push + POLE * HALF * turning * turning * sine) / (CART + POLE)
        inertia = HALF * (4 / 3 - POLE * cosine * cosine / (CART + POLE))
        turn = (GRAVITY * sine - cosine * swing) / inertia
        pull = swing - POLE * HALF * turn * cosine / (CART + POLE)
        after = [place + TICK * speed, speed + TICK * pull,
                 angle + TICK * turning, turning + TICK * turn]  # fmt: skip
        fallen = logical_or(abs(after[0]) > BORDER, abs(after[2]) > LEAN)
        return after, broadcast_to(constant(1.0), place.shape), fallen

    def observe(self, state: Sequence[Node]) -> Node:
        """All four, (episodes, 4)."""
        return stack(state, axis=-1)
