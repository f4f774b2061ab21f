"""Make docs/example.html, and the picture of it: the page of the 24 CIFAR-10 networks of three architectures.

Run it at the root: ``python docs/make_example.py [IMAGES.npy]``, with the test images, (10,000, 32, 32, 3), in the
order of the shipped representations for thumbnails. The picture needs chromium and chromedriver; without them the old
one stays.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "example.html"
PICTURE = ROOT / "docs" / "images" / "example.png"
SIZE = (1280, 1540)  # of the window: what comes before the dendrogram
WIDTH, COLORS = 900, 128  # of the picture
FILES = ("*MedCIFAR10*steps20000_reps_test", "*SmallCIFAR10*steps20000_reps_test", "*ResNetCIFAR10*steps5000_reps_test")


def make_page(images: list[str]) -> None:
    """The page, by the command that docs/page.md shows."""
    models = [str(path) for name in FILES for path in sorted((ROOT / "checkpoints").glob(f"{name}.safetensors"))]
    inputs = [f"--inputs={image}" for image in images]
    command = [sys.executable, "-m", "closedist", "report", *models, *inputs, f"--output={PAGE}"]
    subprocess.run(command, cwd=ROOT, check=True)


def make_picture() -> None:
    """The top of the page as a browser shows it, in few colours."""
    from selenium import webdriver

    os.environ["SE_OFFLINE"] = "true"
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory() as profile:
        for flag in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars", f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        with webdriver.Chrome(
            options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
        ) as browser:
            width, height = SIZE
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            browser.get(PAGE.as_uri())
            shown = Image.open(BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    small = shown.resize((WIDTH, WIDTH * shown.height // shown.width), Image.Resampling.LANCZOS)
    small.quantize(COLORS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    make_page(sys.argv[1:])
    if shutil.which("chromium") and shutil.which("chromedriver"):
        make_picture()
    for path in (PAGE, PICTURE):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
