"""What prints a program as code and runs it: the targets, and files that need no Python."""
