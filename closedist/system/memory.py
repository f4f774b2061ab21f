"""Memory: what is taken and freed over and over stays with the process."""


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks of up to 32 MB, in place of returning them and having every page made anew.

    Its heap shrinks where more is free at its end than twice the largest block that was mapped by itself and freed, of
    those up to 32 MB (mallopt(3), M_MMAP_THRESHOLD). So one that is freed untouched costs nothing and is enough;
    other libraries do not mind. A page made anew costs as much as arithmetic on it.
    """
    import torch

    torch.empty((1 << 25) - (1 << 16), dtype=torch.uint8)
