"""The plane: what a network says at its points, and where the points lie."""
