"""What `cr.compile` gives: graphs, functions, trainings, results and state."""
