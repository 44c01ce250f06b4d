"""What a training reports of an epoch, and what it does then: from sums over batches to values."""
