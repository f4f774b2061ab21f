"""The one error that users meet: something about their input is wrong, and this is how to mend it."""


class InputError(ValueError):
    """Wrong input from outside: a file, an option or an array. The message names the thing, the place and the remedy.

    The command line prints it as one line and exits with code 2; in the library it is an ordinary ``ValueError``.
    """
