from fractions import Fraction
from types import SimpleNamespace

import pytest

from curation.rows import PassedVideo, clip_row, video_row
from curation.scenes import Cutting
from curation.splitter import Boundaries
from shards.frame import Orientation
from shards.schema import CLIPS, VIDEOS

INFO = SimpleNamespace(
    container="mp4",
    codec="h264",
    num_streams=2,
    stream_index=3,
    says_alpha=True,
    time_base=Fraction(1, 600),
)
RAW = SimpleNamespace(
    format=SimpleNamespace(name="yuv420p"), color_trc=18, color_primaries=9, colorspace=9, color_range=1
)
FIRST = SimpleNamespace(pts=1200, raw=RAW, orientation=Orientation(True, 90), has_alpha=False, is_hdr=True)


class Log(list):
    """Thirty frames."""

    def summary(self, start_pts: int, end_pts: int) -> dict:
        """Stands in for what is measured on every frame."""
        told = ["luma_mean", "luma_std", "frame_difference", "black_share"]
        return {"num_frames": 12, "content_hash": f"{start_pts}-{end_pts}"} | dict.fromkeys(told, 1.0)


@pytest.fixture
def passed():
    medium = SimpleNamespace(
        size=lambda pts: (640, 360) if pts < 1500 else (320, 180),
        interlaced_share=lambda start, end: (end - start) / 1200,
    )
    proxies = SimpleNamespace(summary=lambda start, end: {"sharpness": 3.0, "blockiness": None})
    video = SimpleNamespace(info=INFO, num_decode_errors=1)
    return PassedVideo("v" * 20, "/a.mp4", video, FIRST, 2400, Log([0] * 30), medium, proxies)


def test_a_clip_counts_seconds_from_the_first_frame_and_has_its_own_size(passed):
    row = clip_row(passed, 1800, 2100)
    assert set(row) == set(CLIPS.names) and row["clip_id"] == f"{'v' * 20}-000001000-000001500"
    assert (row["start_s"], row["end_s"], row["duration_s"], row["fps"]) == (1.0, 1.5, 0.5, 24.0)
    assert (row["width"], row["height"], row["time_base_num"], row["time_base_den"]) == (320, 180, 1, 600)
    assert (row["is_hdr"], row["interlaced_share"]) == (1, 0.25)


def test_a_video_tells_where_its_seconds_went_and_how_it_is_to_be_seen(passed):
    cutting = Cutting([(1200, 1500)], 300, 120, 60, 600, 120)
    row = video_row(passed, Boundaries([1500], [(1600, 1720)], [(1800, 1860)]), cutting, ["1 to 0 s: reversed"])
    assert set(row) == set(VIDEOS.names)
    seconds = [row[name] for name in ("clips_s", "transition_s", "trimmed_s", "short_s", "failed_s")]
    assert seconds == [0.5, 0.2, 0.1, 1.0, 0.2] and row["duration_s"] == 2.0
    assert (row["width"], row["height"], row["is_mirrored"], row["rotation_deg"]) == (640, 360, True, 90)
    assert (row["has_alpha"], row["color_transfer"], row["interlaced_share"]) == (True, 18, 1.0)
    assert (row["num_video_streams"], row["stream_index"], row["fps"]) == (2, 3, 15.0)
    assert row["span_problems"] == ["1 to 0 s: reversed"]
    assert row["transitions_pts"] == [{"start_pts": 1600, "end_pts": 1720}]
    assert row["suspected_pts"] == [{"start_pts": 1800, "end_pts": 1860}]
