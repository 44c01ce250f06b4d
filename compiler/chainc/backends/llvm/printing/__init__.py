"""The loop language as LLVM text."""
