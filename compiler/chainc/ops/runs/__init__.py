"""Ops that read what belongs to a run: its mode, its seed, its step."""
