"""The compiler behind Chainrule: it knows tensors, never layers."""
