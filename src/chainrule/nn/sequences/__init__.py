"""Layers over sequences."""
