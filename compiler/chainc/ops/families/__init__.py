"""The families of kernels: what they compute, and the facts that the compiler asks of them."""
