"""Calls of all that is public, and values that make no sense in them."""
