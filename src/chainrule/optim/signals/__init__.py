"""What tells each parameter how to change: learning rules, and what changes signals after them."""
