"""All values and gradients of a graph at a point, and what they cost."""
