"""Rules as equations, how they are matched and applied, and what they did."""
