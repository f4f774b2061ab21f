"""Training: all seeds of a configuration in one program, with exact resume."""
