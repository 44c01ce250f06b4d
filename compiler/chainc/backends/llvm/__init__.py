"""The LLVM backend: vector code for the host and for other machines."""
