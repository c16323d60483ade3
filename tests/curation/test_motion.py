import numpy as np
import pytest
from footage import noise_scene

from curation.scorers.motion import Motion


def frames(shift_px: float, size=(320, 180), step_s=0.5, count=4):
    return [(k * step_s, picture) for k, picture in enumerate(noise_scene(3, count, shift_px, size))]


def test_the_score_is_the_displacement_in_map_pixels_per_half_second():
    """A picture that moves by d px of H moves by d * 16 / H px of the map."""
    assert Motion().of_clip(frames(9.0)) == pytest.approx(9.0 * 16 / 180, rel=0.1)


def test_a_still_picture_does_not_move():
    assert Motion().of_clip(frames(0.0)) == pytest.approx(0.0, abs=1e-3)


def test_resolution_does_not_matter():
    small, large = Motion().of_clip(frames(3.0)), Motion().of_clip(frames(6.0, (640, 360)))
    assert small == pytest.approx(large, rel=0.15)


def test_time_between_frames_is_taken_into_account():
    assert Motion().of_clip(frames(4.0, step_s=0.25)) == pytest.approx(2 * Motion().of_clip(frames(4.0)), rel=1e-6)


def test_more_motion_scores_higher():
    scores = [Motion().of_clip(frames(shift)) for shift in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert scores == sorted(scores) and len(set(scores)) == 5


def test_one_frame_gives_null_and_a_reason():
    score = Motion().build()
    import pyarrow as pa

    table = pa.table({"clip_id": ["a", "b"]})
    columns = score(table, [[(0.0, np.zeros((90, 160, 3), np.uint8))], frames(1.0)])
    assert columns["motion"][0] is None and columns["error"][0] == "fewer than two proxy frames"
    assert columns["motion"][1] > 0 and columns["error"][1] is None
