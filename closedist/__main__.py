"""``python -m closedist``: the same as the installed command."""

from closedist.cli import main

if __name__ == "__main__":
    main()
