"""The one error that users meet: something about their input is wrong, and this is how to mend it."""

LONGEST_QUOTE = 300  # characters


class InputError(ValueError):
    """Wrong input from outside: a file, an option or an array. The message names the thing, the place and the remedy.

    The command line prints it as one line and exits with code 2; in the library it is an ordinary ``ValueError``.
    """


def brief(error: Exception) -> str:
    """What another library says of a file, on one line and cut where it quotes the file's content at length."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + " …"


def printable(text: str) -> str:
    """Text for a terminal: what would move its cursor or change its colours, as a file's name may, is written out."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
