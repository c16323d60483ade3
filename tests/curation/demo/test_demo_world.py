"""The rendered world: pure, told truly by its captions, and fast enough."""

import re
import subprocess
import sys

import numpy as np
import pytest

from curation.demo import backgrounds
from curation.demo.shapes import COLOURS, SHAPES
from curation.demo.world import random_scene

CAPTION = re.compile(
    rf"(an? ({'|'.join(COLOURS)}) ({'|'.join(SHAPES)}) "
    r"(moves (up|down|left|right|up left|up right|down left|down right)|turns|grows|shrinks)( and )?){1,3}"
    rf" over a ({'|'.join(backgrounds.FAMILIES)}) background(, the camera (pans|zooms) (left|right|in|out))?"
)


def scenes(count, first=0):
    return [random_scene(np.random.default_rng(seed)) for seed in range(first, first + count)]


def test_the_same_seed_gives_the_same_pictures():
    one, other = (random_scene(np.random.default_rng(3)) for _ in range(2))
    assert one.caption == other.caption
    for t_s in (2.0, 0.0, 1.25):
        np.testing.assert_array_equal(one.frame(t_s), other.frame(t_s))


def test_a_frame_is_a_function_of_time_alone():
    scene = random_scene(np.random.default_rng(5))
    first = scene.frame(1.0)
    scene.frame(3.7)
    np.testing.assert_array_equal(scene.frame(1.0), first)


@pytest.mark.parametrize("size", [(320, 180), (128, 128), (96, 160)])
def test_frames_have_the_size_asked_for(size):
    frame = random_scene(np.random.default_rng(1), *size).frame(0.5)
    assert frame.shape == (size[1], size[0], 3) and frame.dtype == np.uint8


def test_captions_follow_the_grammar():
    for scene in scenes(40):
        assert CAPTION.fullmatch(scene.caption), scene.caption


def test_every_word_of_the_world_is_used():
    captions = " ".join(scene.caption for scene in scenes(150))
    for word in (*COLOURS, *SHAPES, *backgrounds.FAMILIES, "turns", "grows", "shrinks", "zooms", "pans"):
        assert word in captions


def nearest_colours(pixels):
    """Index of the named colour whose direction in RGB is nearest; brightness is left out."""
    names = np.array(list(COLOURS.values()), np.float64)
    unit = names / np.linalg.norm(names, axis=1, keepdims=True)
    return np.argmax(pixels / np.maximum(np.linalg.norm(pixels, axis=-1, keepdims=True), 1) @ unit.T, axis=-1)


def test_the_named_colour_is_seen_where_the_thing_is():
    for scene in scenes(20):
        thing, frame = scene.things[-1], scene.frame(1.0)  # the last stands in front
        if thing.shape == "ring":
            continue
        pose, zoom = thing.path.at(1.0), scene.camera.zoom(1.0)
        x, y = (round(size / 2 + at * zoom * 180) for size, at in ((320, pose.x), (180, pose.y)))
        middle = frame[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).astype(np.float64)
        seen = np.bincount(nearest_colours(middle), minlength=len(COLOURS)).argmax()
        assert list(COLOURS)[seen] == thing.colour, scene.caption


def test_things_go_where_the_caption_says():
    for scene in scenes(40):
        for thing in scene.things:
            before, after = thing.path.at(0.0), thing.path.at(2.0)
            if thing.move.startswith("moves"):
                assert ("left" in thing.move) == (after.x < before.x)
                assert ("right" in thing.move) == (after.x > before.x)
                assert ("up" in thing.move) == (after.y < before.y)
                assert ("down" in thing.move) == (after.y > before.y)
            assert (thing.move == "grows") == (after.radius > before.radius)
            assert (thing.move == "turns") == (after.angle_deg != before.angle_deg)


def test_pictures_move_and_hold_fine_detail():
    for scene in scenes(12, first=100):
        now, later = (scene.frame(t_s).astype(np.float32) for t_s in (1.0, 1.5))
        assert np.abs(now - later).mean() > 1.0
        assert 30 < now.mean() < 235
        assert np.abs(np.diff(now, axis=1)).mean() > 1.0


def test_the_world_needs_numpy_and_opencv_alone():
    code = "import sys, curation.demo.world; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"av", "torch", "pyarrow", "ray"} & set(loaded)
