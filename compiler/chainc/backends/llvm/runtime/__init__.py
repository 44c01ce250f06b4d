"""What surrounds kernels in a module: entries and threads."""
