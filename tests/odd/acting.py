"""Calls that let a policy act, and learn from it."""

from __future__ import annotations

from tests.odd.calls import Arguments

import chainrule as cr
from chainrule import acting, nn

policy = nn.Linear(4, 2)
played = acting.play(acting.CartPole(), policy, episodes=3, steps=2)
values, last = cr.input("values", (2, 3)), cr.input("last", (3,))

ACTING: dict[str, Arguments] = {
    "acting.CartPole": {},
    "acting.GridWorld": {"rows": ["S..", "..G"], "slip": 0.1},
    "acting.play": {"environment": acting.CartPole(), "policy": policy, "episodes": 3, "steps": 2,
                    "temperature": 1.0},
    "acting.discounted": {"rewards": values, "discount": 0.9, "last": last},
    "acting.advantages": {"episodes": played, "values": values, "last": last, "discount": 0.9,
                          "decay": 0.9},
    "acting.whitened": {"worth": values, "episodes": played},
    "acting.policy_loss": {"logits": cr.input("acts", (2, 3, 2)), "episodes": played,
                           "worth": values},
}  # fmt: skip
