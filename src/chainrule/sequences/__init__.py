"""What goes over sequences: loops in the graph."""
