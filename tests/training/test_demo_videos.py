"""The measure of sampled demo videos, on videos whose motion is known."""

import numpy as np
import pytest

from benchmarks.held_out_scenes import held_out_scenes
from benchmarks.thing_track import displacement, goes
from benchmarks.video_figures import caption_margin, right_way
from curation.demo.motion import DIRECTIONS
from curation.demo.shapes import COLOURS
from training.bucket import Bucket

BUCKET = Bucket(8, 64, 96)
ROWS, COLUMNS = np.mgrid[:64, :96]


def disc_video(colour: str, way: tuple[float, float], others: str = "") -> np.ndarray:
    """A disc goes `way` (widths, heights) in eight frames; the ground slides left, and maybe a second disc down."""
    noise = np.random.default_rng(0).integers(60, 120, (64, 200, 3))
    frames = []
    for done in np.linspace(-0.5, 0.5, 8):
        frame = noise[:, round(40 + 40 * done) :][:, :96].copy()
        if others:
            frame[np.hypot(COLUMNS - 10, ROWS - 32 - 40 * done) < 9] = COLOURS[others]
        frame[np.hypot(COLUMNS - 48 - 96 * way[0] * done, ROWS - 32 - 64 * way[1] * done) < 9] = COLOURS[colour]
        frames.append(frame)
    return np.stack(frames).astype(np.uint8)


@pytest.mark.parametrize("way", [(0.3, 0.0), (-0.2, 0.2), (0.0, -0.25), (0.0, 0.0)])
def test_a_thing_goes_as_far_as_it_was_moved(way):
    assert displacement(disc_video("red", way, others="blue"), "red") == pytest.approx(way, abs=0.02)


def test_a_frame_without_the_thing_changes_little():
    video = disc_video("red", (0.3, 0.0))
    video[3] = video[3, ::-1, ::-1] // 2
    assert displacement(video, "red") == pytest.approx((0.3, 0.0), abs=0.05)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_quarter_of_all_ways_is_right(direction):
    angles = np.deg2rad(np.arange(0.5, 360))
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert sum(goes(way, direction) for way in ways) == 90
    assert goes(np.array(DIRECTIONS[direction]) * 0.01, direction)
    assert not goes(np.zeros(2), direction)


def test_a_model_that_goes_one_way_whatever_it_is_told_is_at_chance():
    movers = [("red", name) for name in ("left", "right", "up", "down")]
    obeying = [disc_video("red", (DIRECTIONS[name][0] * 0.3, DIRECTIONS[name][1] * 0.3)) for _, name in movers]
    found = right_way(obeying, movers)
    assert (found["count"], found["of"], found["share"], found["chance"]) == (4, 4, 1.0, 0.0)
    stubborn = right_way([obeying[0]] * 4, movers)
    assert (stubborn["count"], stubborn["share"], stubborn["chance"]) == (1, 0.25, 0.25)


def test_the_margin_is_own_minus_the_mean_of_others():
    similarities = np.array([[0.9, 0.1, 0.3], [0.0, 0.6, 0.2], [0.1, 0.3, 0.3]])
    found = caption_margin(similarities)
    assert (found["own"], found["others"], found["margin"]) == (0.6, 0.167, 0.433)
    assert (found["low"], found["high"]) == (0.1, 0.7)  # three videos: some draws hold one of them alone


def test_real_videos_go_where_their_captions_say():
    first = held_out_scenes(24, set(), BUCKET, 5)
    scenes = held_out_scenes(24, {first[0].caption}, BUCKET, 5)
    assert [scene.caption for scene in scenes][:-1] == [scene.caption for scene in first][1:]
    moving = [(scene.frames, scene.mover) for scene in scenes if scene.mover]
    found = right_way([frames for frames, _ in moving], [mover for _, mover in moving])
    assert found["of"] >= 12
    assert found["share"] == 1 and found["chance"] < 0.4
