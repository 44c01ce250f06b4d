"""A program as calls of kernels: where buffers lie, in which order threads touch them."""
