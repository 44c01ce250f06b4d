"""What Python and NumPy do with nodes: operators, functions made for arrays, copies, pickles."""
