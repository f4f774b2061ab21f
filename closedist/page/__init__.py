"""The page one looks at: many models, every pair of them, and where two of them differ, in one file without the net."""
