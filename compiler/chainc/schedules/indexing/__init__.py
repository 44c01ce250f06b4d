"""Indexing by tensors: whole slices, and elements of rows."""
