"""What the site's build does: README's first part and the changelog become pages; docstrings' marks go."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put README's first part, with links as they are from docs/, and the changelog where their marks stand."""
    if "<!-- README.md -->" in markdown:
        part = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- start -->")[1].split("<!-- end -->")[0]
        markdown = markdown.replace("<!-- README.md -->", part.replace("](docs/", "]("))
    if "<!-- CHANGELOG.md -->" in markdown:
        markdown = markdown.replace("<!-- CHANGELOG.md -->", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    return markdown


def on_page_content(html: str, **_: object) -> str:
    """Leave out roles, as in :func:`closedist.compare`, and that arguments are required which share a line."""
    html = re.sub(r":(?:func|class|mod|meth):(?=<code>)", "", html)
    rows = re.compile(r"(<tr class=\"doc-section-item\">\s*<td>\s*<code>[^<]*, [^<]*</code>.*?</tr>)", re.DOTALL)
    return rows.sub(lambda row: row[0].replace("<em>required</em>", ""), html)
