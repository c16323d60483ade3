import numpy as np
import pytest
from footage import noise_scene

from curation.frame_steps import Step, flicker, frozen_share, residual_cut, slideshow, steps_of

SIZE = (320, 180)
RNG = np.random.default_rng(0)


def pan(count: int, shift_px: float = 6.0, seed: int = 1) -> list[np.ndarray]:
    return noise_scene(seed, count, shift_px, SIZE)


def grained(picture: np.ndarray) -> np.ndarray:
    return np.clip(picture + RNG.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def lit(picture: np.ndarray, gain: float) -> np.ndarray:
    return np.clip(picture * gain, 0, 255).astype(np.uint8)


def test_a_still_picture_is_still_in_spite_of_grain():
    picture = pan(1)[0]
    assert frozen_share(steps_of([grained(picture) for _ in range(5)])) == 1.0
    assert frozen_share(steps_of(pan(5, 0.5))) == 0.0


def test_a_small_thing_that_moves_is_motion():
    frames = [pan(1)[0] for _ in range(4)]
    for number, frame in enumerate(frames):
        frame[80:96, 40 + 20 * number : 56 + 20 * number] = 255
    assert frozen_share(steps_of(frames)) == 0.0


def test_half_of_a_clip_frozen():
    moving = pan(3)
    assert frozen_share(steps_of([*moving, moving[-1], moving[-1]])) == 0.5


def path_of(frames: list[np.ndarray]) -> float:
    """Change of luma summed over every frame, as `clips` tell it."""
    return sum(step.mean_change for step in steps_of(frames))


def test_a_slideshow_jumps_between_stills():
    slides = [picture for seed in (1, 2, 3) for picture in pan(1, seed=seed) * 12]
    assert slideshow(steps_of(slides[::6]), path_of(slides)) > 0.75


@pytest.mark.parametrize("shift_px", [0.0, 1.0, 5.0])
def test_neither_a_still_nor_motion_is_a_slideshow(shift_px):
    frames = pan(36, shift_px)
    assert slideshow(steps_of(frames[::6]), path_of(frames)) == 0.0


def test_a_clip_that_stands_and_then_moves_is_no_slideshow():
    moving = pan(25, 5.0)
    frames = [moving[0]] * 12 + moving
    assert slideshow(steps_of(frames[::6]), path_of(frames)) < 0.5


def test_flicker_is_the_change_of_the_logarithm_of_brightness():
    picture = np.full((180, 320, 3), 100, np.uint8)
    frames = [lit(picture, gain) for gain in (1.0, 1.5, 1.0, 1.5)]
    assert flicker(steps_of(frames)) == pytest.approx(2 * np.log((150 + 8) / (100 + 8)), rel=0.02)


def test_a_steady_fade_and_motion_do_not_flicker():
    picture = np.full((180, 320, 3), 200, np.uint8)
    fade = flicker(steps_of([lit(picture, 0.85**k) for k in range(6)]))
    assert fade < 0.02 and flicker(steps_of(pan(6, 8.0))) < 0.02


def test_a_cut_stands_out():
    frames = [*pan(4, seed=1), *pan(4, seed=2)]
    assert residual_cut(steps_of(frames)) > 0.3


@pytest.mark.parametrize("shift_px", [0.0, 4.0, 20.0])
def test_one_scene_has_no_cut(shift_px):
    assert residual_cut(steps_of(pan(8, shift_px))) < 0.15


def test_light_that_changes_at_once_is_no_cut():
    frames = [lit(picture, 1.0 if number < 4 else 0.6) for number, picture in enumerate(pan(8))]
    assert residual_cut(steps_of(frames)) < 0.15


def test_what_happens_at_every_step_does_not_stand_out():
    steps = [Step(9.0, 9.0, 0.0, 0.6)] * 5
    assert residual_cut(steps) == 0.0
    assert residual_cut(steps[:1]) == 0.6
    assert flicker(steps[:1]) == 0.0


def test_a_cut_between_plain_colours_stands_out():
    red, green = np.zeros((2, 90, 160, 3), np.uint8)
    red[..., 0], green[..., 1] = 200, 200
    assert residual_cut(steps_of([red, red, green, green])) > 0.3
