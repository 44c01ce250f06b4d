"""Plots along sequences: what units hold in each step, and what is attended to."""
