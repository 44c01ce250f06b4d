"""A student's own backward pass, compared with the graph's, and its mistakes in words."""
