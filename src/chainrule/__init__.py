"""Chainrule: declare a network, see its gradient, compile its training loop."""
