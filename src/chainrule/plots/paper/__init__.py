"""What every plot is drawn on: its look, and the picture it becomes."""
