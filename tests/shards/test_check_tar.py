"""Tars that are damaged or made by an enemy: what `verify` says of them, and what the reader does."""

from random import Random

import pyarrow.parquet as pq
import pytest
from spoil import (
    KEYS,
    TRAIN,
    change_header,
    change_index,
    flip,
    only_fault,
    place_of,
    read_all,
    sign,
)

from shards.reader import ShardSet


@pytest.mark.parametrize("extension", ["json", "mp4", "txt"])
@pytest.mark.parametrize("number", [0, 2])
def test_a_flipped_byte_names_its_sample_and_its_member(root, tar, extension, number):
    place = place_of(tar, number, extension)
    flip(tar, place["offset_bytes"] + place["size_bytes"] // 2)
    name, key, member, reason = only_fault(root, "none")
    assert (name, key, member) == ("train/00001", KEYS[3 + number], extension) and "CRC-32" in reason
    samples, skipped = read_all(root)
    assert set(samples) == set(KEYS) - {key} and f"its {extension} has other bytes" in skipped[key]


def test_a_flipped_byte_between_members_is_found(root, tar):
    flip(tar, tar.stat().st_size - 1)
    assert only_fault(root)[3].startswith("the tar has another SHA-256")
    assert read_all(root) == ({sample.key: sample for sample in TRAIN}, {})


def test_a_flipped_byte_in_a_header_names_the_member(root, tar):
    flip(tar, place_of(tar, 1, "mp4")["offset_bytes"] - 512)
    assert only_fault(root)[:3] == ("train/00001", KEYS[4], "mp4")
    assert len(read_all(root)[0]) == 6, "the reader goes by the index"


def test_no_flipped_byte_of_a_tar_passes_and_the_reader_gives_no_wrong_sample(root, tar):
    random, data, truth = Random(1), tar.read_bytes(), {sample.key: sample for sample in TRAIN}
    for _ in range(60):
        tar.write_bytes(data)
        flip(tar, random.randrange(len(data)), 1 << random.randrange(8))
        assert only_fault(root, "none")[0] == "train/00001"
        samples, skipped = read_all(root)
        assert len(samples) + len(skipped) == 6
        assert all(truth[key] == sample for key, sample in samples.items())


@pytest.mark.parametrize("length", [0, 100, 512, 5000, -10000, -1])
def test_a_truncated_tar(root, tar, length):
    data = tar.read_bytes()
    tar.write_bytes(data[:length])
    name, *_, reason = only_fault(root, "none")
    assert name == "train/00001" and reason
    with pytest.raises(ValueError, match=r"00001\.tar has \d+ bytes"):
        ShardSet(root / "train")


def test_a_truncated_tar_names_the_first_sample_that_is_gone(root, tar):
    place = place_of(tar, 1, "mp4")
    tar.write_bytes(tar.read_bytes()[: place["offset_bytes"] + 10])
    assert only_fault(root)[:3] == ("train/00001", KEYS[4], "mp4")


@pytest.mark.parametrize("name", ["../../x.json", "/etc/x.json", "..\\x.json", "a/../../x.json"])
def test_a_member_whose_name_leads_out_of_its_folder(root, tar, name):
    change_header(tar, 3, name=name)
    sign(root)
    found, key, member, reason = only_fault(root)
    assert (found, key, member) == ("train/00001", KEYS[4], "json") and "leads out of the folder" in reason
    assert read_all(root)[0] == {sample.key: sample for sample in TRAIN}, "names in the tar lead nowhere"


@pytest.mark.parametrize(
    "fields",
    [{"type": b"2", "linkname": "/etc/passwd"}, {"type": b"1", "linkname": "x"}, {"type": b"3"}, {"type": b"S"}],
)
def test_a_member_that_is_no_plain_file(root, tar, fields):
    change_header(tar, 3, **fields)
    sign(root)
    assert only_fault(root) == ("train/00001", KEYS[4], "json", "it is no plain file in the tar")


def test_a_member_that_the_contract_does_not_know(root, tar):
    """A pickle, say: `webdataset` would unpickle a member with this name."""
    change_header(tar, 5, name=f"{KEYS[4]}.pyd")
    members = pq.ParquetFile(tar.with_suffix(".parquet")).read()["members"][1].as_py()
    members[2]["extension"] = "pyd"
    change_index(tar, 1, members=members)
    sign(root)
    assert only_fault(root)[1:] == (
        KEYS[4],
        "pyd",
        "a sample has the members json, mp4, jpg, png, webp, safetensors, txt and no other",
    )


def test_a_member_that_stands_twice(root, tar):
    change_header(tar, 4, name=f"{KEYS[4]}.json")
    members = pq.ParquetFile(tar.with_suffix(".parquet")).read()["members"][1].as_py()
    members[1]["extension"] = "json"
    change_index(tar, 1, members=members)
    sign(root)
    assert only_fault(root)[1:] == (KEYS[4], "json", "it stands twice in its sample")


@pytest.mark.parametrize("change", ["name", "size_bytes", "offset_bytes", "order", "fewer"])
def test_an_index_that_is_not_that_of_its_tar(root, tar, change):
    members = pq.ParquetFile(tar.with_suffix(".parquet")).read()["members"][1].as_py()
    if change == "name":
        change_header(tar, 4, name="other.mp4")
    elif change == "order":
        members.reverse()
    elif change == "fewer":
        members.pop()
    else:
        members[1][change] -= 1
    change_index(tar, 1, members=members)
    sign(root)
    assert only_fault(root)[0] == "train/00001" and only_fault(root)[1] in KEYS[4:]
