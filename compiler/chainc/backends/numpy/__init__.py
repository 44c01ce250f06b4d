"""NumPy source: vectorised, readable, over buffers that the memory planner laid out."""
