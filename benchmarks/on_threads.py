"""So many threads for PyTorch and for NumPy, which reads how many when it is imported."""

import os
import sys

import torch


def on_threads(threads: int) -> None:
    """Start the program again where NumPy's products would take another number of threads."""
    if os.environ.get("OPENBLAS_NUM_THREADS") != str(threads):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "OPENBLAS_NUM_THREADS": str(threads)})
    torch.set_num_threads(threads)
