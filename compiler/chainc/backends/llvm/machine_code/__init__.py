"""Text to object files, kept and loaded; and what each line of the assembly is for."""
