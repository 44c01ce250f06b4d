"""What surrounds kernels in a module: entries, threads, failures."""
