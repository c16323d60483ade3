import shutil
import subprocess

import pytest
from tiny_recipe import TinyRecipe

from training import code_version as module
from training.__main__ import main
from training.code_version import code_version
from training.run import Run


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A small checkout with one commit."""
    root = tmp_path / "checkout"
    for package in module.PACKAGES:
        (root / package).mkdir(parents=True)
        (root / package / "part.py").write_text("x = 1\n")
    me = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], [*me, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", root, *command], check=True)
    monkeypatch.setattr(module, "ROOT", root)
    return root


def test_the_commit_and_whether_files_differ_from_it(checkout):
    head = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    before = code_version()
    assert before["commit"] == head.stdout.strip()
    (checkout / "training" / "part.py").write_text("x = 2\n")
    after = code_version()
    assert after["commit"] == f"{before['commit']}-dirty" and after["sources"] != before["sources"]


def test_without_a_checkout_the_sources_tell(checkout):
    before = code_version()
    shutil.rmtree(checkout / ".git")
    assert code_version() == {"commit": None, "sources": before["sources"]}


def test_a_stage_notes_each_code_that_trained_it_as_it_was_when_it_began(tmp_path, monkeypatch, break_at):
    tiny, versions = TinyRecipe(tmp_path), iter("aab")
    tiny.pack()
    monkeypatch.setattr("training.fit.code_version", lambda: {"commit": next(versions), "sources": ""})
    break_at(4, 8)
    assert [main(tiny.train("1")) for _ in range(3)] == [1, 1, 0]
    told = (Run(tiny.runs / "1").record or {})["code"]
    assert [each["commit"] for each in told] == ["a", "b"] and next(versions, None) is None


def test_what_is_trained_anew_forgets_the_code_of_before(tmp_path, monkeypatch):
    tiny, versions = TinyRecipe(tmp_path), iter("ab")
    tiny.pack()
    monkeypatch.setattr("training.fit.code_version", lambda: {"commit": next(versions), "sources": ""})
    assert [main(tiny.train("1", *force)) for force in ((), ("--force",))] == [0, 0]
    assert (Run(tiny.runs / "1").record or {})["code"] == [{"commit": "b", "sources": ""}]
