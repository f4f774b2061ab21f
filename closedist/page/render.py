"""The page as one HTML file: its own style and script, named by digest, and nothing else may run or be fetched."""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

SCRIPTS = ("base.js", "heatmap.js", "groups.js", "scatter.js", "pair.js", "start.js")


def page(content: Mapping[str, Any]) -> str:
    """The HTML of what ``content`` made.

    Args:
        content: JSON can hold all of it.
    """
    style = _asset("page.css")
    script = '"use strict";(() => {\n' + "\n".join(_asset(name) for name in SCRIPTS) + "\n})();\n"
    allowed = f"default-src 'none'; style-src {source_of(style)}; script-src {source_of(script)}; img-src data:"
    # a script element ends at the first "</", and "<!--" can change how it is read, whatever JSON string they are in
    data = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "POLICY": f"{allowed}; base-uri 'none'; form-action 'none'",
        "TITLE": escape(f"{len(content['models'])} models compared"),
        "VERDICT": escape(content["verdict"]),
        "SENTENCE": escape(content["sentence"]),
        "STYLE": style,
        "DATA": data,
        "SCRIPT": script,
    }
    pieces = _asset("page.html").split("%%")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def _asset(name: str) -> str:
    return (files("closedist.page") / "assets" / name).read_text(encoding="utf-8")


def source_of(text: str) -> str:
    """How a content security policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
