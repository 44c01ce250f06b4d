"""Pages of models that are given: of classifiers, of models that write, of adversarial networks."""
