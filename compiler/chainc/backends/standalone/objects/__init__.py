"""What becomes of an object file: libraries, and how much of it a processor has to hold."""
