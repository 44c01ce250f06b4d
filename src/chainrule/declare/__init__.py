"""What declares a graph: leaves, functions, losses, metrics, first values."""
