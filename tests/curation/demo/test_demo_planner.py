"""The plan of the corpus: what the default holds, counted without rendering it."""

from collections import Counter
from dataclasses import replace

import pytest

from curation.demo.config import DemoConfig
from curation.demo.faults import PLANTED_FAULTS
from curation.demo.planner import plan_corpus

SMALL = DemoConfig(num_videos=8, scenes_per_video=4)


def test_the_default_holds_every_fault_often_enough():
    plan = plan_corpus(DemoConfig())
    faults = Counter()
    clean = 0
    for video in plan.videos:
        for scene in video.scenes:
            here = [*video.file_faults, *([scene.fault] if scene.fault else [])]
            faults.update(here)
            clean += not here and not video.damage
    by_path = {video.path: video for video in plan.videos}
    faults["exact_duplicate"] = sum(len(by_path[copy.source].scenes) for copy in plan.copies if copy.container)
    for fault in (*PLANTED_FAULTS, "resolution_jump", "exact_duplicate"):
        assert faults[fault] >= 20, fault
    assert clean >= 350
    assert 600 <= sum(len(video.scenes) for video in plan.videos) <= 800
    assert all(1.0 <= scene.duration_s <= 3.0 for video in plan.videos for scene in video.scenes)


@pytest.mark.parametrize("config", [DemoConfig(), SMALL])
def test_every_special_file_is_there(config):
    plan = plan_corpus(config)
    tags = {tag for video in plan.videos for tag in video.tags}
    expected = {"variable_frame_rate", "rotated", "resolution_jump", "non_ascii_name"}
    assert tags == expected | {"truncated", "corrupt_payload", "corrupt_header"}
    assert {junk.kind for junk in plan.junk} == {"empty", "text", "audio_only"}
    assert any(copy.container for copy in plan.copies) and not all(copy.container for copy in plan.copies)
    paths = [file.path for files in (plan.videos, plan.copies, plan.junk) for file in files]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("config", [DemoConfig(), SMALL])
def test_near_duplicates_repeat_a_scene_without_fault_of_another_video(config):
    videos = {video.path: video for video in plan_corpus(config).videos}
    copies = [(v.path, s) for v in videos.values() for s in v.scenes if s.fault == "near_duplicate"]
    assert copies and len({scene.copy_of for _, scene in copies}) == len(copies)
    for path, scene in copies:
        original_path, index = scene.copy_of.split("#")
        original = videos[original_path].scenes[int(index)]
        assert original_path != path
        assert (original.seed, original.duration_s, original.fault) == (scene.seed, scene.duration_s, "")


def test_the_plan_follows_from_the_config_alone():
    assert plan_corpus(SMALL) == plan_corpus(replace(SMALL, workers=7))
    assert plan_corpus(SMALL) != plan_corpus(replace(SMALL, seed=1))


def test_several_codecs_containers_and_rates():
    encodings = [video.encoding for video in plan_corpus(DemoConfig()).videos]
    assert {e.codec for e in encodings} == {"h264", "mpeg4", "vp9", "hevc", "av1", "mjpeg"}
    assert {e.container for e in encodings} == {"mp4", "mkv", "mov", "webm", "avi", "ts"}
    assert len({e.fps for e in encodings}) >= 6
    assert any(e.b_frames for e in encodings)


@pytest.mark.parametrize("wrong", [{"num_videos": 3}, {"width": 321}, {"workers": 0}])
def test_an_impossible_config_is_refused(wrong):
    with pytest.raises(ValueError):
        DemoConfig(**wrong)
