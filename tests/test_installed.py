import shutil

import pytest
from installed import find_chromium


def test_a_test_without_its_browser_says_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(pytest.skip.Exception, match=r"no Chromium.*apt install chromium"):
        find_chromium()
    monkeypatch.setattr(shutil, "which", lambda name: "/there/chrome" if name == "google-chrome" else None)
    assert find_chromium() == "/there/chrome"


def test_reasons_of_skips_are_told(pytestconfig):
    """Else they would be dots among dots."""
    assert {*"fEs"} <= {*pytestconfig.getoption("reportchars")}
