"""Derivations: the chain rule written out for the user's own model."""
