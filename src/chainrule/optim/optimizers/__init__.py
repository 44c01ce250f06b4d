"""What becomes of a parameter and its signal in a step: a file for each kind of optimizer."""
