"""The loop language: its statements, its builder and its text."""
