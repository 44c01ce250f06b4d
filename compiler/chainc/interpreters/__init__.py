"""The meanings of an op: NumPy arrays, sympy, counts of work, the float64 reference."""
