"""A training loop as files that need neither Python nor a runtime: object, library, header, C."""
