"""Make the images of docs/figures.md again: run its commands at the repository's root and keep small copies.

Run it at the root: ``python docs/make_images.py [PLOT_TYPE …]``; without names all of them. A figure whose results are
missing keeps its old image, and the command's error is shown.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
COMMANDS = {  # by plot type: further options, and which of its figures the page shows
    "synthetic_data": (["--num-classes=6"], ["synthetic_data_cls6"]),
    "d_LLV_constructed": ([], ["d_LLV_constructed"]),
    "d_LLV_train_synthetic": (
        [],
        ["d_LLV_train_synthetic_cls6", "d_LLV_train_synthetic_all", "d_LLV_train_synthetic_sorted"],
    ),
    "d_LLV_vs_width": ([], ["d_LLV_vs_width_cls4_cls6"]),
    "cifar10_reps": ([], ["cifar10_reps_seed0", "cifar10_reps_seeds0and1"]),
    "loss_diff_vs_mcca": ([], ["loss_diff_vs_mcca"]),
}
COLORS = 256
SCALES = (1.0, 0.8, 0.7, 0.6, 0.5)
LARGEST = 140_000  # bytes


def make_images(plot_type: str, options: list[str]) -> None:
    """Run a plot type's command and put its figures, with a small palette, where the page finds them."""
    more, names = COMMANDS[plot_type]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "run.py", "make-plot", f"--plot-type={plot_type}", "--format=png", *more, *options]
        if subprocess.run([*command, f"--figures-folder={folder}"], cwd=ROOT, check=False).returncode != 0:
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
    for plot_type in chosen or COMMANDS:
        make_images(plot_type, [argument for argument in sys.argv[1:] if argument.startswith("-")])
