"""Processors that code is generated for, a file each."""
