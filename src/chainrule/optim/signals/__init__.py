"""What tells each parameter how to change: learning rules."""
