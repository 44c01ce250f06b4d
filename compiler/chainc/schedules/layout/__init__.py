"""How buffers lie in memory, and at which address an element is."""
