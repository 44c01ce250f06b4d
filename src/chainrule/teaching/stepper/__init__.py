"""Backpropagation step by step, as a page."""
