import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shards.scratch import process_folder
from shards.store import atomic_path, scratch_folder

WRITE = """
from pathlib import Path
from shards.scratch import process_folder
(process_folder() / "half").write_text("half")
print(process_folder(), flush=True)
input()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder for temporary files, of this process and of those that it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def start() -> tuple[subprocess.Popen, Path]:
    """A process that has written half a file, and its folder."""
    process = subprocess.Popen([sys.executable, "-c", WRITE], stdin=-1, stdout=-1, text=True)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(temporary):
    killed, dead = start()
    killed.kill()
    killed.communicate()
    living, alive = start()
    assert not dead.exists(), "the next process has removed it"
    process_folder()
    assert (alive / "half").exists() and alive.parent == temporary
    living.communicate("\n")
    assert list(temporary.iterdir()) == [process_folder()], "one that ends by itself leaves nothing"


def test_what_goes_to_an_address_lies_there_meanwhile(temporary, bucket):
    with atomic_path(bucket / "a.txt") as path, scratch_folder(bucket / "t", "part-00000") as scratch:
        path.write_text("whole")
        assert path.parent == scratch.parent == process_folder()
    assert (bucket / "a.txt").read_text() == "whole"
    assert [entry.name for entry in process_folder().iterdir()] == [".alive"]


def test_a_folder_that_was_tidied_away_is_made_anew(temporary):
    import shutil

    shutil.rmtree(process_folder())
    assert process_folder().is_dir()


def test_a_file_system_without_locks_is_no_trouble(temporary, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("shards.scratch.fcntl.flock", refuse)
    (other := temporary / "process-x.rushes.tmp").mkdir()
    (other / ".alive").touch()
    assert process_folder().is_dir() and other.is_dir()


def test_folders_of_other_origin_stay(temporary):
    others = {temporary / name for name in ("rushes-out", "process-x", "process-x.rushes.tmp")}
    for folder in others:
        folder.mkdir()
    assert {process_folder(), *others} == set(temporary.iterdir())
