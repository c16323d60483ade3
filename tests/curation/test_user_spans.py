"""A table with spans and their captions, through split and captions to clips."""

import csv

import pytest
from demo_corpus import read
from footage import noise_scene, write_video

from curation.__main__ import main


@pytest.mark.parametrize("splitter", ["whole.Whole", "adaptive.Adaptive"])
def test_spans_of_a_table_become_clips_with_their_captions(tmp_path, splitter):
    write_video(tmp_path / "a.mp4", noise_scene(1, 60) + noise_scene(2, 60), fps=10)
    write_video(tmp_path / "b.mp4", noise_scene(3, 30), fps=10)
    rows = [
        {"path": "a.mp4", "start_s": 1, "end_s": 3, "caption": "first", "rating": 5},
        {"path": "a.mp4", "start_s": 5, "end_s": 9, "caption": "across the cut", "rating": 3},
        {"path": "b.mp4", "start_s": "", "end_s": "", "caption": "all", "rating": 1},
    ]
    with (tmp_path / "films.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=rows[0])
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "out"
    arguments = ["--videos", str(tmp_path / "films.csv"), "--out", str(out), "--job", "split", "--engine", "local"]
    choice = ["--split.splitter", f"curation.splitters.{splitter}", "--split.min_clip_s", "0.5"]
    assert main(["run", "--config", "configs/curate/default.yaml", *arguments, *choice]) == 0
    captions = {row["clip_id"]: row["text"] for row in read(out, "captions")}
    spans = {
        (round(clip["start_s"], 3), round(clip["end_s"], 3)): captions[clip["clip_id"]] for clip in read(out, "clips")
    }
    whole = {(5, 9): "across the cut"}
    parted = {(5, 6): "across the cut", (6, 9): "across the cut"}
    assert spans == {(1, 3): "first", (0, 3): "all"} | (whole if splitter == "whole.Whole" else parted)
    for video in read(out, "videos"):
        parts = [video[name] for name in ("clips_s", "transition_s", "trimmed_s", "short_s", "failed_s")]
        assert sum(parts) == pytest.approx(video["duration_s"])
    assert sorted(row["rating"] for row in read(out, "inputs")) == [["1"], ["5", "3"]]
