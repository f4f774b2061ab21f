"""Fixtures that every part of the suite shares."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published checkpoints and golden numbers, which a user's clone does not have."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"the published checkpoints and golden numbers are not at {SHARED}")
    return SHARED
