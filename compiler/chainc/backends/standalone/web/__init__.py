"""What a browser gets of an exported program: a module, a script with types, and a page."""
