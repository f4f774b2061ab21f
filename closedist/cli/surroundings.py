"""What a process inherits from whoever starts it, made fit for a command line."""

import codecs
import os
import sys
from io import TextIOWrapper

# how the characters of our texts read where only ASCII, or Windows' cp1252, can be printed
_PLAIN = {
    "λ": "lambda",
    "Σ": "sum",
    "√": "sqrt",
    "·": "*",
    "×": "x",
    "²": "^2",
    "−": "-",
    "±": "+/-",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "→": "->",
    "‖": "||",
    "…": "...",
    "–": "-",
    "≠": "!=",
}


def make_fit() -> None:
    """Draw into files, whatever a notebook drew into; print what the terminal can show, and its like for the rest.

    Threads that wait for each other sleep: where another program has a core, waiting by spinning costs tens of times
    the work. Large tensors lie in large pages: a step of wide networks waits for the kernel to hand out small ones
    (spirals: 0.48 s a step, 0.38 in large ones). OpenMP and PyTorch read both as they load.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    os.environ["MPLBACKEND"] = "agg"  # matplotlib cannot even be imported where it does not know the inherited one
    codecs.register_error("closedist.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="closedist.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What is printed for characters that a stream cannot encode: their like, else their number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    rest = error.object[error.start : error.end]
    return "".join(_PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode() for one in rest), error.end
