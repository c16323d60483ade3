"""Fixtures that more than one test file uses."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def media() -> Path:
    """Real footage, found through RUSHES_MEDIA."""
    folder = os.environ.get("RUSHES_MEDIA")
    if not folder:
        pytest.skip("RUSHES_MEDIA is not set: no real footage to test on")
    return Path(folder)
