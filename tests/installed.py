"""Programs that some tests need and that Python's packages do not bring."""

import shutil

import pytest

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """Where a Chromium lies; skips, saying what to install, where there is none."""
    if found := next(filter(None, map(shutil.which, CHROMIUMS)), None):
        return found
    pytest.skip("no Chromium: no page is looked at in a browser. On Debian or Ubuntu: apt install chromium")
