"""The same model under several learning rules, side by side."""
