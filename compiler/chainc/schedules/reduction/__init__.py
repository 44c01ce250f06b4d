"""Folds along axes."""
