import numpy as np

from curation.shot_features import NAMES, REACH, features

FRAMES = 40


def noise(seed: int, shape: tuple[int, ...] = (27, 48, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def column(name: str, frames: np.ndarray) -> np.ndarray:
    padded = np.pad(frames, ((REACH, REACH), (0, 0), (0, 0), (0, 0)), mode="edge")
    return features(padded)[:, NAMES.index(name)]


def two_scenes() -> np.ndarray:
    return np.stack([noise(0)] * 20 + [noise(1)] * (FRAMES - 20))


def test_each_lag_compares_the_frames_around_the_first_of_a_new_scene():
    for lag, differing in {1: [20], 2: [19, 20], 4: [18, 19, 20, 21]}.items():
        distance = column(f"distance_{lag}", two_scenes())
        assert np.flatnonzero(distance > distance.min() + 1).tolist() == differing


def test_a_flash_differs_from_its_neighbours_but_not_across_it():
    frames = np.stack([noise(0) // 2] * FRAMES)
    frames[20] = 255
    assert column("distance_1", frames)[20] > column("distance_1", frames)[10] + 1
    assert column("distance_2", frames)[20] == column("distance_2", frames)[10]


def test_a_dissolve_is_the_mean_of_what_is_around_it_and_a_cut_is_not():
    shares = np.clip((np.arange(FRAMES) - 10) / 20, 0, 1)[:, None, None, None]
    dissolve = (noise(0) * (1 - shares) + noise(1) * shares).astype(np.uint8)
    ratio = column("unmixed_6", dissolve) - column("distance_8", dissolve)
    assert ratio[20] < -1.5
    assert (column("unmixed_6", two_scenes()) - column("distance_8", two_scenes()))[20] > -1


def test_the_pattern_stays_alike_when_only_the_light_changes():
    bright = np.stack([noise(0)] * 20 + [noise(0) // 3] * 20)
    assert column("unlikeness_1", bright)[20] < 0.01 < 0.3 < column("unlikeness_1", two_scenes())[20]


def test_frames_do_not_depend_on_what_is_further_than_the_reach():
    frames = noise(0, (100, 27, 48, 3))
    np.testing.assert_allclose(features(frames)[10:20], features(frames[10 : 20 + 2 * REACH]), atol=1e-5)


def test_plain_frames_give_finite_numbers():
    assert np.isfinite(features(np.zeros((2 * REACH + 3, 27, 48, 3), np.uint8))).all()
