"""Fixtures that every part of the suite shares."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from tests.small import write_images
from tests.small_images import NUM_POINTS

# The same examples every time, so that a change is judged by what it changed; `make explore` looks for new ones.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("explore", print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published checkpoints and golden numbers, which a user's clone does not have."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"the published checkpoints and golden numbers are not at {SHARED}")
    return SHARED


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A working directory with a made-up CIFAR-10 where commands look for it."""
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "downloaded_data", per_file=NUM_POINTS // 5)
    shutil.copy(Path(__file__).parents[1] / "configs/cifar10_0_cls10.json", tmp_path)
    return tmp_path
