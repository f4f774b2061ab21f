"""Every number of docs/reproduction.md: what each claim of the paper comes to in our runs.

    python examples/reproduction_tables.py            # print the tables
    python examples/reproduction_tables.py --write    # and put them in docs/reproduction.md, between its marks

Needs results.zip, representations/ and, for CIFAR-10, metrics/ at the repository's root.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from closedist.paper.constructed import kl_table
from closedist.paper.figures.kl_table import to_markdown
from closedist.paper.results.archive import open_results
from reproduction import tables
from reproduction.claims import Evidence, claims, images
from reproduction.trainings import LABELS, read_all

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reproduction.md"


def blocks() -> dict[str, str]:
    """What stands between the page's marks, by their names."""
    source = open_results(ROOT / "results.zip")
    trainings = read_all(source, ROOT / "representations")
    constructed = kl_table(seed=0)
    evidence = Evidence(trainings, constructed, source, ROOT / "metrics")
    return {
        "coverage": tables.coverage(trainings),
        "claims": claims(evidence),
        "kl": to_markdown(constructed).strip(),
        "kept": tables.kept(trainings),
        "same-seeds": tables.same_seeds(trainings),
        **{f"widths-{labels}": tables.widths(trainings, labels) for labels in LABELS},
        "trends": tables.trends(trainings),
        "bounds": tables.bounds(trainings),
        "ranks": tables.ranks(trainings),
        "images": images(evidence),
    }


def replaced(page: str, contents: Mapping[str, str]) -> str:
    """The page with what is between its marks as it is now.

    Raises:
        ValueError: a pair of marks is missing.
    """
    for name, content in contents.items():
        begin, end = f"<!-- {name} -->\n\n", f"\n\n<!-- /{name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"docs/reproduction.md has not one pair of marks {begin.strip()} and {end.strip()}")
        before, _, rest = page.partition(begin)
        page = before + begin + content + end + rest.partition(end)[2]
    return page


if __name__ == "__main__":
    made = blocks()
    for title, text in made.items():
        print(f"\n{title}\n\n{text}")
    if "--write" in sys.argv[1:]:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
