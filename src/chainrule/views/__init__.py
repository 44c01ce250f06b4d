"""What there is to see of compiled programs."""
