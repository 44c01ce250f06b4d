"""Passes about contractions: how many there are, over what, and in which order."""
