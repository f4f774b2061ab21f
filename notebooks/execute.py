"""Run notebooks from their first cell to their last, and keep what they show.

    python notebooks/execute.py [NOTEBOOK…]

Cells are plain Python in one namespace, as a kernel would run them; without a kernel that is a second of start and no
package more. What a cell prints is kept, its last expression as text, and a matplotlib figure as PNG.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def execute(notebook: dict[str, Any]) -> dict[str, Any]:
    """Run the code cells in order and put in what they show; the names they leave.

    Raises:
        Exception: what a cell raises.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        printed, value = io.StringIO(), None
        with contextlib.redirect_stdout(printed):
            exec(compile(ast.Module(body, []), f"cell {number}", "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        cell["execution_count"] = number
        cell["outputs"] = []
        if printed.getvalue():
            text = printed.getvalue().splitlines(keepends=True)
            cell["outputs"].append({"output_type": "stream", "name": "stdout", "text": text})
        if value is not None:
            shown = {"data": _shown(value), "metadata": {}, "execution_count": number}
            cell["outputs"].append({"output_type": "execute_result", **shown})
    return names


def _shown(value: Any) -> dict[str, Any]:
    from matplotlib.figure import Figure

    shown: dict[str, Any] = {"text/plain": repr(value).splitlines(keepends=True)}
    if isinstance(value, Figure):
        picture = io.BytesIO()
        value.savefig(picture, format="png", dpi=80, metadata={"Software": None})
        shown["image/png"] = base64.b64encode(picture.getvalue()).decode()
    return shown


def main(paths: list[Path]) -> None:
    """Run each notebook and write it back."""
    for path in paths:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        execute(notebook)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    here = Path(__file__).parent
    main([Path(name) for name in sys.argv[1:]] or sorted(here.glob("*.ipynb")))
