"""Rules that passes share, or that are many: a file for what they are about."""
