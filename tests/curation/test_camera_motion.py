import numpy as np
import pytest

from curation.camera_motion import camera_part

HEIGHT, WIDTH = 16, 28
Y, X = np.mgrid[:HEIGHT, :WIDTH] - np.array([[[(HEIGHT - 1) / 2]], [[(WIDTH - 1) / 2]]])


def field(pan=0.0, tilt=0.0, zoom=0.0, roll_rad=0.0) -> np.ndarray:
    """Flow (h, w, 2) of a camera that moves so between two frames."""
    scale_x, scale_y = (1 + zoom) * np.cos(roll_rad) - 1, (1 + zoom) * np.sin(roll_rad)
    return np.stack([pan + scale_x * X - scale_y * Y, tilt + scale_y * X + scale_x * Y], axis=-1)


def error(flow: np.ndarray, camera: np.ndarray) -> float:
    return float(np.linalg.norm(camera_part(flow[None])[0] - camera, axis=-1).max())


@pytest.mark.parametrize(
    "move", [{"pan": 1.5}, {"tilt": -0.7}, {"zoom": 0.1}, {"roll_rad": 0.2}, {"pan": 2.0, "zoom": -0.05}]
)
def test_a_move_of_the_camera_is_all_the_cameras(move):
    assert error(field(**move), field(**move)) < 1e-6


@pytest.mark.parametrize("covered", [X > 2, np.hypot(X, Y) < 7, (X < -2) & (Y < 4)])
@pytest.mark.parametrize("move", [{}, {"pan": 1.0}, {"zoom": 0.03}])
def test_a_thing_on_four_tenths_of_the_frame_does_not_count(move, covered):
    assert 0.25 < covered.mean() < 0.45
    flow = field(**move) + np.random.default_rng(0).normal(0, 0.02, (HEIGHT, WIDTH, 2))
    flow[covered] += (1.2, -0.8)
    assert error(flow, field(**move)) < 0.05


def test_each_map_has_a_camera_of_its_own():
    maps = np.stack([field(pan=1.0), field(zoom=0.1), field()])
    np.testing.assert_allclose(camera_part(maps), maps, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (40, 1)])
def test_a_strip_of_a_map_is_fitted_too(shape):
    maps = np.full((2, *shape, 2), 0.5, np.float32)
    np.testing.assert_allclose(camera_part(maps), maps, atol=1e-6)
