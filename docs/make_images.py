"""Make the images of docs/figures.md again: run its commands at the repository's root and keep small copies.

Run it at the root: ``python docs/make_images.py [PLOT_TYPE …]``; without names all of them. A figure whose results are
missing keeps its old image, and the command's error is shown.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
COLORS = 256
SCALES = (1.0, 0.8, 0.7, 0.6, 0.5)
LARGEST = 140_000  # bytes


def sections() -> dict[str, tuple[list[str], list[str]]]:
    """Of every section of the page that has images: its command's options, and the figures that it shows."""
    found = {}
    for section in (ROOT / "docs" / "figures.md").read_text().split("\n## ")[1:]:
        command = re.search(r"^closedist make-plot (.+)$", section, re.MULTILINE)
        names = re.findall(r"\(images/(.+)\.png\)", section)
        if command and names:
            found[section.split("\n")[0]] = (command[1].split(), names)
    return found


def make_images(command: list[str], names: list[str], options: list[str]) -> None:
    """Run a section's command and put its figures, with a small palette, where the page finds them."""
    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, "run.py", "make-plot", "--format=png", *command, *options, f"--figures-folder={folder}"]
        if subprocess.run(run, cwd=ROOT, check=False).returncode != 0:
            return
        for name in names:
            keep_small_copy(Path(folder) / f"{name}.png")


def keep_small_copy(picture: Path) -> None:
    """Copy a picture to the page's images with a palette of few colours, scaled down where that is not small enough."""
    IMAGES.mkdir(exist_ok=True)
    copy = IMAGES / picture.name
    with Image.open(picture) as image:
        for scale in SCALES:
            size = (round(image.width * scale), round(image.height * scale))
            scaled = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
            # maximum coverage: the other methods shift colours of few pixels, such as those of a legend
            small = scaled.quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            small.save(copy, optimize=True)
            if copy.stat().st_size < LARGEST:
                break
    print(f"{copy.relative_to(ROOT)}: {copy.stat().st_size:,} bytes")


if __name__ == "__main__":
    chosen = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    page = sections()
    for plot_type in chosen or page:
        make_images(*page[plot_type], [argument for argument in sys.argv[1:] if argument.startswith("-")])
