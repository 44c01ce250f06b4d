"""The training loop as LLVM text."""
