import weakref
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from footage import noise_scene

from curation.config import SplitConfig
from curation.demo.displacement import displacement
from curation.demo.world import random_scene
from curation.proxies import ProxyReader
from curation.read_video import read_video
from curation.scorers import motion as scorer
from curation.scorers.motion import TOO_FEW, Motion, averaged, half_second_steps, motion_of
from curation.splitters.whole import Whole

FLOWS = ("farneback", "dis")
SIZE = (320, 180)
MAP_PX = 16 / 180  # map pixels per pixel of a picture of SIZE


def tiny() -> Motion:
    return Motion()


def measure(frames, flow: Any = "farneback") -> tuple[float, float, float]:
    columns = Motion(flow=flow).build()(pa.table({"clip_id": ["a"]}), [frames])
    return columns["motion"][0], columns["motion_camera"][0], columns["motion_local"][0]


def pan(shift_px: float, size=SIZE, step_s=0.5, count=4):
    return [(k * step_s, picture) for k, picture in enumerate(noise_scene(3, count, shift_px, size))]


def warped(move: Callable[[int], tuple[float, float, float]], count=4):
    """A texture seen from a camera: `move` gives its shift in px, zoom and roll in degrees at each frame."""
    texture = cv2.resize(noise_scene(3, 1, 0.0, (640, 360))[0], (640, 360))
    frames = []
    for k in range(count):
        shift_px, zoom, roll_deg = move(k)
        matrix = cv2.getRotationMatrix2D((320, 180), roll_deg, zoom)
        matrix[:, 2] += (shift_px - 160, -90)
        frames.append((k * 0.5, cv2.warpAffine(texture, matrix, SIZE)))
    return frames


def thing(shift_px: float, camera_px: float = 0.0, count=4):
    """A textured square of 90 px that moves over a ground that the camera pans over."""
    square = noise_scene(8, 1, 0.0, (90, 90))[0]
    frames = [(time_s, picture.copy()) for time_s, picture in pan(camera_px, count=count)]
    for k, (_, picture) in enumerate(frames):
        left = 60 + round(k * shift_px)
        picture[45:135, left : left + 90] = square
    return frames


@pytest.mark.parametrize("flow", FLOWS)
def test_a_pan_of_some_pixels_is_the_cameras_and_nothing_is_left(flow):
    """A picture that moves by d px of H moves by d * 16 / H px of the map."""
    motion, camera, local = measure(pan(9.0), flow)
    assert motion == pytest.approx(9.0 * MAP_PX, rel=0.1) and camera == pytest.approx(9.0 * MAP_PX, rel=0.1)
    assert local < 0.1 * motion


@pytest.mark.parametrize("flow", FLOWS)
def test_a_thing_over_a_still_ground_is_local(flow):
    motion, camera, local = measure(thing(9.0), flow)
    share = 90 * 90 / (SIZE[0] * SIZE[1])
    assert local == pytest.approx(9.0 * MAP_PX * share, rel=0.35)  # flow is blurred where the thing ends
    assert camera < 0.1 * local and motion == pytest.approx(local, rel=0.1)


@pytest.mark.parametrize("flow", FLOWS)
def test_camera_and_thing_are_told_apart(flow):
    _, camera, local = measure(thing(-6.0, camera_px=6.0), flow)
    assert camera == pytest.approx(6.0 * MAP_PX, rel=0.1) and local > 0.5 * 12.0 * MAP_PX * 0.14


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    "move", [lambda k: (0.0, 1.05**k, 0.0), lambda k: (0.0, 1.0, 4.0 * k), lambda k: (4.0 * k, 1.04**k, 0.0)]
)
def test_zoom_and_roll_are_the_cameras(flow, move):
    motion, camera, local = measure(warped(move), flow)
    assert camera > 0.9 * motion > 0.1 and local < 0.2 * motion


@pytest.mark.parametrize("flow", FLOWS)
def test_a_still_picture_does_not_move(flow):
    assert measure(pan(0.0), flow) == pytest.approx((0.0, 0.0, 0.0), abs=1e-3)


def test_noise_on_black_does_not_move():
    rng = np.random.default_rng(0)
    noise = [(k * 0.5, np.clip(16 + rng.normal(0, 1.5, (360, 640, 3)), 0, 255).astype(np.uint8)) for k in range(3)]
    assert measure(noise)[0] < 0.05


@pytest.mark.parametrize("flow", FLOWS)
def test_resolution_does_not_matter(flow):
    small, large = measure(pan(3.0), flow), measure(pan(6.0, (640, 360)), flow)
    assert small[0] == pytest.approx(large[0], rel=0.15) and small[1] == pytest.approx(large[1], rel=0.15)


def test_time_between_frames_is_taken_into_account():
    assert measure(pan(4.0, step_s=0.25))[0] == pytest.approx(8.0 * MAP_PX, rel=0.1)
    assert measure(pan(8.0, step_s=1.0))[0] == pytest.approx(4.0 * MAP_PX, rel=0.1)


def test_more_motion_scores_higher():
    scores = [measure(pan(shift))[0] for shift in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert scores == sorted(scores) and len(set(scores)) == 5


def times(*seconds: float) -> list[float]:
    picture = np.zeros((1, 1, 3), np.uint8)
    return [time_s for time_s, _ in half_second_steps([(time_s, picture) for time_s in seconds])]


def test_frames_nearest_to_half_seconds_are_compared():
    assert times(3.0, 3.5, 4.0) == [3.0, 3.5, 4.0]
    assert times(3.0, 3.25, 3.5, 3.75, 4.0, 4.2) == [3.0, 3.5, 4.0]
    assert times(3.0, 3.4, 3.45, 4.1) == [3.0, 3.45, 4.1]
    assert times(3.0, 4.0, 5.5) == [3.0, 4.0, 5.5]
    assert times(3.0, 3.1, 3.2) == [3.0, 3.2]
    assert times(3.0) == [3.0]


def test_one_frame_gives_null_and_a_reason():
    columns = Motion().build()(pa.table({"clip_id": ["a", "b", "c"]}), [pan(0.0, count=1), pan(1.0), []])
    assert columns["error"] == [TOO_FEW, None, TOO_FEW]
    assert all(columns[name][row] is None for name in Motion().writes.names for row in (0, 2))
    assert columns["motion"][1] > 0


def test_a_strip_of_pixels_takes_no_memory_to_speak_of():
    strip = np.random.default_rng(0).integers(0, 255, (2, 200_000, 3), np.uint8)
    assert measure([(0.0, strip), (0.5, strip)])[0] == pytest.approx(0.0, abs=1e-3)


def test_a_flow_is_averaged_and_gone_before_the_next_and_the_score_is_that_of_all(monkeypatch):
    """Memory does not grow with the flows of a long clip, and not a bit of the scores changes."""
    living, most, kept = [], [], []

    def build():
        method = scorer._farneback()

        def flow(before, after):
            most.append(sum(one() is not None for one in living))
            made = method(before, after)
            living.append(weakref.ref(made))
            kept.append(made.copy())
            return made

        return flow

    monkeypatch.setitem(scorer.FLOWS, "farneback", build)
    score = measure(pan(4.0, count=6))
    assert len(most) == 5 and max(most) == 0
    assert score == motion_of([k / 2 for k in range(6)], [averaged(flow, 16) for flow in kept])


def test_columns_have_doc_and_unit():
    assert all(f.metadata[b"doc"] and f.metadata[b"unit"] == b"px / 0.5 s" for f in Motion().writes)


def ranks(values: list[float]) -> np.ndarray:
    return np.argsort(np.argsort(values))


@pytest.mark.slow
@pytest.mark.parametrize(("flow", "least"), [("farneback", 0.95), ("dis", 0.93)])
def test_motion_ranks_scenes_as_their_rendered_displacement(flow, least):
    measured, true = [], []
    for seed in range(150):
        scene, instants = random_scene(np.random.default_rng(seed)), (0.7, 1.2, 1.7, 2.2)
        measured.append(measure([(t_s, scene.frame(t_s)) for t_s in instants], flow)[0])
        moves = [displacement(scene, t_s, t_s + 0.5) for t_s in instants[:-1]]
        true.append(float(np.mean([np.linalg.norm(move, axis=2).mean() for move in moves])))
    assert np.corrcoef(ranks(measured), ranks(true))[0, 1] >= least


def of_file(path, scratch) -> tuple[float, float, float]:
    read = read_video("v", str(path), SplitConfig(splitter=Whole(), max_clip_s=1e6), scratch / "p.parquet")
    clip = read.clips[0]
    return measure(ProxyReader(scratch / "p.parquet").frames("v", clip["start_pts"], clip["end_pts"]))


def test_frozen_footage_lies_below_all_that_moves(media, tmp_path):
    names = ("interactive-examples__flower.mp4", "sample-videos__book.mkv", "sample-videos__people-detection.gif")
    moving = [of_file(media / "video" / name, tmp_path)[0] for name in names]
    assert of_file(media / "derived/frozen_75_frames.mp4", tmp_path)[0] < 0.005 < 0.03 < min(moving)


def test_a_fixed_camera_does_not_move_whatever_it_sees(media, tmp_path):
    motion, camera, local = of_file(media / "video/sample-videos__book.mkv", tmp_path)
    assert motion > 0.05 and camera < 0.1 * motion and local > 0.9 * motion
