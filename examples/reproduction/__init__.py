"""What docs/reproduction.md says, made from result files; ``python examples/reproduction_tables.py`` prints it."""
