"""`cr.Trainer`: fit, evaluate, predict, save, over what `cr.training` and `cr.compile` give."""
