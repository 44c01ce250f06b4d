"""What explains: derivations, the stepper, the story of a compile, checks of work done by hand."""
