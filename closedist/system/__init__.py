"""Files, locks, progress and signals: what every long command needs, and no mathematics."""
