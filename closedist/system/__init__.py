"""Files, locks, progress, signals and SLURM: what every long command needs, and no mathematics."""
