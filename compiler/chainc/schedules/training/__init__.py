"""The training loop: epochs, the order of the rows, minibatches, records, validation."""
