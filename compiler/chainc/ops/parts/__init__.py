"""Parts of tensors: cut out, joined, surrounded by others, and seen through windows."""
