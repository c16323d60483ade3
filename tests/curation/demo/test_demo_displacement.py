import cv2
import numpy as np
import pytest

from curation.demo.displacement import displacement
from curation.demo.world import random_scene

GRAIN = 3  # gray levels; what is left of a pixel that is brought back to where it was


@pytest.mark.parametrize("seed", [0, 3, 4, 5, 8, 11, 12])
def test_the_later_frame_brought_back_along_the_displacement_is_the_earlier_one(seed):
    scene = random_scene(np.random.default_rng(seed))
    flow = displacement(scene, 1.0, 1.4)
    rows, columns = np.mgrid[: scene.height, : scene.width].astype(np.float32)
    later, earlier = scene.frame(1.4), scene.frame(1.0)
    brought = cv2.remap(later, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR)
    moves = brought.any(axis=2) & (np.linalg.norm(flow, axis=2) > 2)
    left = {name: np.median(np.abs(p.astype(int) - earlier)[moves]) for name, p in [("back", brought), ("", later)]}
    assert moves.mean() > 0.02 and left["back"] < GRAIN < left[""]


def test_nothing_moves_in_no_time():
    assert np.abs(displacement(random_scene(np.random.default_rng(1)), 0.8, 0.8)).max() < 1e-4
