"""A sweep on a SLURM cluster, through submitit: pieces of work become tasks of a job array that a command waits for."""
