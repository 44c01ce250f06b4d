"""The loss around a training: the planes it is looked at in, and the surface over one of them."""
