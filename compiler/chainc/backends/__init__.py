"""What runs a graph: the reference oracle, and the source of NumPy programs."""
