"""The story of a compile, as a page."""
