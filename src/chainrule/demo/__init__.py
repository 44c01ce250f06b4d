"""The demo: digits, trained and drawn."""
