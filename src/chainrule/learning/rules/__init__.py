"""One rule a file: how each parameter learns which way to go."""
