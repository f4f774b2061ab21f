"""The second paper's experiments: teachers, students that learn from their outputs, and how students are scored."""
