"""Manifests that are damaged, old, or made by an enemy: what `verify` says, and what the reader does."""

import json
import shutil

import pytest
from spoil import (
    change_manifest,
    only_fault,
)

from shards.reader import ShardSet
from shards.verify import verify


@pytest.mark.parametrize("version", [1, None, "2"])
def test_a_set_of_another_schema_version(root, version):
    change_manifest(root / "train" / "manifest.json", schema_version=version)
    name, *_, reason = only_fault(root)
    assert name == "train/manifest.json"
    assert f"has schema version {version}, this code reads 2; pack the set again, with FORCE=pack" in reason
    with pytest.raises(ValueError, match=f"has schema version {version}, this code reads 2; .* FORCE=pack"):
        ShardSet(root / "train")


@pytest.mark.parametrize(
    ("shard", "reason"),
    [
        ({"name": "../train/00000"}, "names a shard '../train/00000'"),
        ({"name": "/etc/passwd"}, "names a shard '/etc/passwd'"),
        ({"name": None}, "names a shard None"),
        ({"num_samples": -1}, "does not say how many"),
        ({"size_bytes": "9"}, "does not say how many"),
        ({"sha256": "0"}, "has no SHA-256 of shard 00001"),
        ({"index_sha256": None}, "has no SHA-256 of shard 00001"),
        ({"generation": "1"}, "says generation '1' of shard 00001"),
        ({"generation": -1}, "says generation -1 of shard 00001"),
        ({"generation": None}, "says generation None of shard 00001"),
        ({"name": "00000"}, "lists a shard twice"),
        ({"num_samples": 4}, "says num_samples: 6, its shards sum up to 7"),
    ],
)
def test_a_manifest_that_cannot_be_one(root, shard, reason):
    path = root / "train" / "manifest.json"
    shards = json.loads(path.read_text())["shards"]
    change_manifest(path, shards=[shards[0], shards[1] | shard])
    assert reason in only_fault(root)[3]
    with pytest.raises(ValueError, match=r"manifest\.json"):
        ShardSet(root / "train")


@pytest.mark.parametrize("shards", [None, {}, ["00000"]])
def test_a_manifest_without_shards(root, shards):
    change_manifest(root / "train" / "manifest.json", shards=shards)
    assert "lists no shards" in only_fault(root)[3]


@pytest.mark.parametrize("text", ["[]", "7", "{"])
def test_a_manifest_of_a_set_that_is_none(root, text):
    (root / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json is no"):
        list(verify(root))


def test_manifests_that_do_not_fit_each_other(root):
    change_manifest(root / "manifest.json", train=7)
    assert only_fault(root) == ("manifest.json", "", "", "says 7 samples in train, which has 6")
    change_manifest(root / "manifest.json", train=6, config_hash="other")
    assert "of configuration other" in only_fault(root)[3]
    change_manifest(root / "manifest.json", config_hash="c0ffee")
    change_manifest(root / "val" / "manifest.json", config_hash="other")
    told = "is of configuration c0ffee, val of other"
    assert only_fault(root) == ("manifest.json", "", "", told)


def test_a_shard_that_no_manifest_lists(root, tar):
    shutil.copy(tar, root / "train" / "00002.tar")
    assert only_fault(root) == ("train/00002.tar", "", "", "manifest.json does not list it")


def test_folders_that_are_no_set(whole, tmp_path):
    with pytest.raises(ValueError, match=r"is no finished shard set$"):
        list(verify(tmp_path))
    shutil.copytree(whole, tmp_path / "hq")
    with pytest.raises(ValueError, match=r"it holds hq: name one of them"):
        list(verify(tmp_path))
