"""What a run calls in Python between epochs: files of its state, logs, a limit of time."""
