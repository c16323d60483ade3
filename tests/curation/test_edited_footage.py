"""The labels of edited footage, and how its files are found."""

import hashlib
import json

import pytest

from benchmarks.cut_score import Truth
from benchmarks.edited_footage import LABELS, edited


def test_every_label_lies_in_its_stretch_and_in_order():
    for label in json.loads(LABELS.read_text(encoding="utf-8")):
        start, end = label["frames"]
        spans = [frame for span in label["gradual"] for frame in span]
        assert label["cuts"] == sorted(set(label["cuts"])) and spans == sorted(spans), label["path"]
        assert all(start < cut < end for cut in label["cuts"]), label["path"]
        assert all(start <= frame < end for frame in [*spans, *label["ambiguous"]]), label["path"]


def test_files_are_known_by_their_bytes_and_count_from_their_stretch(tmp_path):
    (tmp_path / "footage" / "sub").mkdir(parents=True)
    (tmp_path / "footage" / "sub" / "any name.mp4").write_bytes(b"one")
    (tmp_path / "footage" / "stranger.mp4").write_bytes(b"other")
    label = {"sha256": hashlib.sha256(b"one").hexdigest(), "frames": [100, 200], "cuts": [120], "ambiguous": [190]}
    absent = label | {"sha256": hashlib.sha256(b"absent").hexdigest()}
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps([absent | {"gradual": []}, label | {"gradual": [[130, 140]]}]), encoding="utf-8")
    (found,) = edited(tmp_path / "footage", labels)
    assert (found.path.name, found.frames) == ("any name.mp4", (100, 200))
    assert found.truth == Truth([20], [(30, 40)], [90])


def test_a_folder_without_any_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds none of the"):
        list(edited(tmp_path))
