"""Kernels as loop nests, and programs as calls of them; `by_kernel.py` chooses the schedule."""
