"""Files, terminals and tables."""
