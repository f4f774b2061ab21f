"""The paper's command line: the same commands and options, the same files."""

from closedist.cli import paper_main

if __name__ == "__main__":
    paper_main()
