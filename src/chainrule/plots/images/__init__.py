"""Plots of what a network for images consists of, computes and looks at."""
