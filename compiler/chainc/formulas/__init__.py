"""Formulas and derivatives as one writes them on a blackboard."""
