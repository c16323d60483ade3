"""What stands in for the frames before the first and after the last."""

from fractions import Fraction

import numpy as np
from footage import small

from curation.demo.world import random_scene
from curation.prolonged import prolonged
from curation.shot_features import REACH
from curation.splitters.hybrid import Hybrid

PICTURE = np.random.default_rng(0).integers(0, 200, (27, 48, 3)).astype(np.float32)


def frames(shares) -> np.ndarray:
    """The picture at shares of its light."""
    return np.stack([np.rint(share * PICTURE) for share in shares]).astype(np.uint8)


def test_a_picture_that_keeps_its_light_is_repeated():
    still = frames([1.0] * 20)
    np.testing.assert_array_equal(prolonged(still, 5), frames([1.0] * 30))


def test_motion_is_not_carried_on():
    moving = np.stack([np.roll(PICTURE, step, axis=1) for step in range(20)]).astype(np.uint8)
    longer = prolonged(moving, 5)
    assert (longer[:5] == moving[0]).all() and (longer[-5:] == moving[-1]).all()


def test_a_fade_goes_on_in_a_straight_line_on_both_sides():
    longer = prolonged(frames(np.linspace(0.4, 0.8, 21)), 10)
    np.testing.assert_allclose(longer, frames(np.linspace(0.2, 1.0, 41)), atol=2)


def test_a_fade_ends_at_the_plain_colour():
    longer = prolonged(frames(np.linspace(0.1, 0.5, 21)), 16).astype(float)
    assert longer[0].max() == 0 and longer[:10].std(axis=(1, 2, 3)).max() < 2


def test_few_frames_are_enough():
    assert prolonged(frames([1.0]), REACH).shape == (1 + 2 * REACH, 27, 48, 3)
    np.testing.assert_array_equal(prolonged(frames([0.5, 0.5]), 3), frames([0.5] * 8))


def test_a_fade_that_was_under_way_at_the_first_frame_is_found():
    """Where frames repeat before the first, this one is not."""
    scene = random_scene(np.random.default_rng(7), 48, 27)
    shares = np.clip(0.7 + np.arange(90) / 60, 0, 1)
    detector = Hybrid(doubt=(1.0, 1.0)).build(Fraction(1, 24), Fraction(24))
    for number, share in enumerate(shares):
        picture = (scene.frame(1 + number / 24) * share).astype(np.uint8)
        detector.process(small(number, picture))
    found = detector.finish()
    assert [start for start, _ in found.transitions_pts] == [0]
    assert 16 <= found.transitions_pts[0][1] <= 26
    assert not found.cuts_pts
