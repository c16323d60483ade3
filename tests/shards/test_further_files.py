"""Files beside the shards of a set: missing, changed, not listed."""

import json
from random import Random

import pytest
from spoil import change_manifest, faults, flip, only_fault, sha256

from shards.further_files import listed_hashes
from shards.verify import verify


@pytest.fixture
def notes(root):
    """A set with a file that its manifest lists."""
    (root / "notes.json").write_text('{"of": "films"}')
    change_manifest(root / "manifest.json", **listed_hashes(root, ["notes.json"]))
    return root / "notes.json"


def test_listed_files_that_are_well_are_not_told(root, notes):
    assert json.loads((root / "manifest.json").read_text())["files"] == {"notes.json": sha256(notes)}
    assert [checked.name for checked in verify(root, "none")] == ["train/00000", "train/00001", "val/00000"]


def test_every_flipped_bit_of_a_listed_file_is_found(root, notes):
    data, random = notes.read_bytes(), Random(0)
    for at in range(len(data)):
        notes.write_bytes(data)
        flip(notes, at, 1 << random.randrange(8))
        assert only_fault(root, "none") == (
            "notes.json",
            "",
            "",
            "is not the file that manifest.json lists: it has another SHA-256",
        )


def test_missing_and_unlisted_files(root, notes):
    notes.rename(root / "other.json")
    assert {name: reason for name, (_, _, reason) in faults(root, "none").items()} == {
        "notes.json": "is missing though manifest.json lists it",
        "other.json": "manifest.json does not list it",
    }


def test_a_set_that_lists_no_files_says_nothing_of_them(root):
    (root / "config.json").write_text("{}")
    assert faults(root, "none") == {}


@pytest.mark.parametrize(
    ("files", "name"),
    [([], "manifest.json"), ({"../set/notes.json": ""}, "../set/notes.json"), ({"train": ""}, "train")],
)
def test_a_list_of_no_files_of_this_folder(root, notes, files, name):
    change_manifest(root / "manifest.json", files=files)
    assert name in faults(root, "none")


def test_at_an_address(root, notes, bucket):
    bucket.fs.put(str(root), (bucket / "hq").path, recursive=True)
    assert faults(bucket / "hq", "none") == {}
    (bucket / "hq/notes.json").write_text("{}")
    assert only_fault(bucket / "hq", "none")[0] == "notes.json"
