"""The figures: tables and arrays in, matplotlib figures out."""
