"""Pure rules: no I/O, no clock, no randomness that was not handed in."""
