"""The figures of what scores find (`benchmarks/scores.py`), and their floors on real footage; for the demo's see
test_accuracy.py."""

import json

import pytest
from demo_corpus import read

from benchmarks.scores import SUSPECT_NOTHING, auc, duplicates, is_ok, media_figures, run_jobs, spearman

DEFAULT = "configs/curate/default.yaml"


def test_auc_is_the_chance_to_lie_above():
    assert auc([1, 2], [3, 4]) == 1.0
    assert auc([3, 4], [1, 2]) == 0.0
    assert auc([1, 3], [2]) == 0.5
    assert auc([1], [1]) == 0.5


def test_spearman_knows_ranks_alone():
    assert spearman([1, 2, 3], [1, 10, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_figures_are_held_to_floors_and_ceilings():
    good = {"text_by_static_text_area_auc": 0.99, "crop_box_error": 0.0, "motion_spearman": 0.97}
    assert is_ok(good)
    assert not is_ok(good | {"dark_by_under_exposed_share_auc": float("nan")})
    for name, value in (("text_by_static_text_area_auc", 0.96), ("crop_box_error", 0.02), ("motion_spearman", 0.94)):
        assert not is_ok(good | {name: value})


def test_pairs_too_short_for_clips_are_not_asked_for(tmp_path):
    truths = [{"duplicate_of": "a/one.mp4"}, {"duplicate_of": "a/one.mp4", "n_frames": 1}, None]
    files = [{"path": f"b/{k}.mp4", "truth": truth} for k, truth in enumerate(truths)]
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    assert list(duplicates(tmp_path)) == [("0.mp4", "one.mp4")]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_is_known_of_real_footage_is_found(media, tmp_path):
    run_jobs(DEFAULT, media, tmp_path, "--engine", "local", *SUSPECT_NOTHING)
    figures = media_figures(media, tmp_path)
    assert is_ok(figures), figures
    videos = read(tmp_path, "videos")  # of all files, derived ones too; each failed alone, and says why
    assert len(videos) > 80 and all(row["status"] == "ok" or row["error"] for row in videos)
    assert not [row["path"] for row in videos if row["status"] == "quarantined"]
