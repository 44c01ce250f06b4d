"""Graphs as DOT: what is shown, how it folds, and how it looks."""
