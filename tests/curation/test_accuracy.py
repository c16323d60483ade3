"""What curation measures, against the known truth of a demo corpus."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from demo_corpus import curate_demo, read, render_corpus_once

from benchmarks.scores import FAULTS, auc, demo_figures, is_ok
from curation.demo.config import DemoConfig

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    return render_corpus_once(tmp_path_factory, DemoConfig(seed=7, num_videos=32, workers=2))


@pytest.fixture(scope="module")
def curated(footage, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("curated")
    assert curate_demo(footage, out) == 0
    return out


def test_hard_cuts_are_found(footage, curated):
    cuts = pq.read_table(footage / "truth/cuts.parquet").to_pylist()
    videos = {Path(row["path"]).name: row for row in read(curated, "videos") if row["status"] == "ok"}
    whole = [cut for cut in cuts if cut["kind"] == "hard" and cut["path"] in videos and "corrupt" not in cut["path"]]
    found = [cut for cut in whole if _near(cut["start_pts"], videos[cut["path"]]["cuts_pts"], videos[cut["path"]])]
    assert len(whole) > 40 and len(found) >= 0.95 * len(whole)


def _near(pts: int, cuts_pts: list[int], video: dict) -> bool:
    frame_ticks = video["time_base_den"] / video["time_base_num"] / video["fps"]
    return any(abs(cut - pts) <= 2.1 * frame_ticks for cut in cuts_pts)


@pytest.fixture(scope="module")
def clips(footage, curated) -> list[dict]:
    """Clips with their scores and with the faults of the scene that they lie in (they overlap it by nine tenths)."""
    scenes = pq.read_table(footage / "truth/scenes.parquet").to_pylist()
    rows = pq.read_table(curated / "stats/clips.parquet").to_pylist()
    return [row | {"faults": scene["faults"]} for row in rows for scene in scenes if _same(row, scene)]


def _same(clip: dict, scene: dict) -> bool:
    overlap = min(clip["end_s"], scene["end_s"]) - max(clip["start_s"], scene["start_s"])
    longest = max(clip["duration_s"], scene["end_s"] - scene["start_s"])
    return Path(clip["path"]).name == scene["path"] and overlap >= 0.9 * longest


def test_planted_duplicates_are_found_and_no_others(footage, clips):
    scenes = pq.read_table(footage / "truth/scenes.parquet").to_pylist()
    copy_of = {(row["path"], row["scene_index"]): row["duplicate_of"] for row in scenes}

    def original(path: str, index: int) -> tuple[str, int]:
        while source := copy_of.get((path, index)):
            path, index = source.split("#")[0], int(source.split("#")[1])
        return path, index

    shown = {
        clip["clip_id"]: original(Path(clip["path"]).name, scene["scene_index"])
        for clip in clips
        for scene in scenes
        if _same(clip, scene)
    }
    joined = {clip["clip_id"]: clip["perceptual_group"] or clip["clip_id"] for clip in clips}
    pairs = list(combinations(shown, 2))
    planted = {pair for pair in pairs if shown[pair[0]] == shown[pair[1]]}
    found = {pair for pair in pairs if joined[pair[0]] == joined[pair[1]]}
    assert len(planted) >= 15
    assert len(found & planted) >= 0.95 * len(planted) and len(found - planted) <= 0.02 * len(found)


def test_dark_clips_are_at_the_bottom_of_their_luma(clips):
    dark = [clip["luma_mean"] for clip in clips if "dark" in clip["faults"]]
    clean = [clip["luma_mean"] for clip in clips if not clip["faults"]]
    assert auc(dark, clean) >= 0.97


def test_all_faults_are_there_in_some_clips(clips):
    faults = Counter(fault for clip in clips for fault in clip["faults"])
    assert min(faults[fault] for fault, *_ in FAULTS) >= 2 and sum(not clip["faults"] for clip in clips) >= 20


def test_all_planted_faults_are_found(footage, curated):
    figures = demo_figures(footage, curated)
    assert is_ok(figures), figures


def test_rules_reject_what_they_are_aimed_at_and_keep_the_rest(clips):
    rejected = {
        fault: [c for c in clips if fault in c["faults"]] for fault in ("still", "wrong_caption", "dark", "blur")
    }
    for fault, mine in rejected.items():
        assert np.mean([bool(c["rejected_by_pretrain"]) for c in mine]) >= 0.9, fault
    clean = [c for c in clips if not c["faults"]]
    assert np.mean([c["kept_pretrain"] for c in clean]) >= 0.85
