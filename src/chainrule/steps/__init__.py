"""What is declared for training: one step as a value, and the loop around it."""
