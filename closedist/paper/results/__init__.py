"""The papers' result files: names, tables, and the archive they ship in."""
