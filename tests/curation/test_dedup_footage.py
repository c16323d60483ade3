"""The duplicates that real footage is known to hold are found, and nothing else of it is merged."""

from pathlib import Path

import pytest
from demo_corpus import read

from curation.__main__ import main

SAME = [
    {"interactive-examples__stream-of-water.mp4", "remuxed_duplicate_of_stream.mp4"},
    {"interactive-examples__flower.mp4", "interactive-examples__flower.webm"},
    {"media__sample.mp4", "media__sample_av1.mp4", "media__sample_fragmented.mp4"},
    {"media__bear-vp9.webm", "media__bear-vp9-odd-dimensions.webm"},
    {"torchcodec__h264_10bits.mp4", "torchcodec__h265_10bits.mp4"},
    # the same stream, to be shown upright and turned: not one picture, but two
    {"media__sample_portrait.mp4", "media__sample_rotate_and_reflect.mp4"},
]
UNLIKE_ANY = {
    "sample-videos__book.mkv",
    "sample-videos__milk.mkv",
    "sample-videos__eat.mkv",
    "sample-videos__yes.mkv",
    "torchcodec__nasa_13013.mp4",
    "media__silent-black-10s.mp4",
    "media__edit_list_positive_shift.mp4",
    "PySceneDetect__counter.mp4",
}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_known_duplicates_of_real_footage_are_found_and_no_others(media: Path, tmp_path):
    names = set().union(*SAME) | UNLIKE_ANY
    paths = [path for folder in ("video", "derived") for path in sorted((media / folder).iterdir())]
    table = tmp_path / "videos.csv"
    table.write_text("\n".join(["path", *(str(path) for path in paths if path.name in names)]))
    out = tmp_path / "out"
    run = ["run", "--config", "configs/curate/default.yaml", "--videos", str(table), "--out", str(out)]
    for job in ("split", "score", "dedup"):
        assert main([*run, "--engine", "local", "--job", job]) == 0
    name_of = {row["video_id"]: Path(row["path"]).name for row in read(out, "videos")}
    groups: dict[str, set[str]] = {}
    for row in read(out, "scores/dedup"):
        if row["perceptual_group"]:
            groups.setdefault(row["perceptual_group"], set()).add(name_of[row["clip_id"].split("-")[0]])
    assert sorted(map(sorted, groups.values())) == sorted(map(sorted, SAME))
