"""Pages in which a network trains in the browser, on what the compiler made."""
