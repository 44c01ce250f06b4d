"""Graphs to kernels over buffers, how these group, and where they lie in memory."""
