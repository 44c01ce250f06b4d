"""Programs as C, compiled by the C compiler of this system and run in this process."""
