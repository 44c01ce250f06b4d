"""Elementary functions and random numbers in lanes."""
