"""Pictures and captions for the demo CLIP, rendered from seeds that the demo corpus never uses.

Owns the seeds, the wear on the pictures and their size; what a scene shows is `world`'s.
"""

import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

import cv2
import numpy as np
from PIL import Image

from curation.demo.world import random_scene

ENTROPY = 0x5C11B
"""Root of every seed here. The demo corpus grows from `DemoConfig.seed`, 0 by default, so the two never meet."""
SCENE_S = 3.0
_CHUNK = 64  # scenes that a worker takes at a time

Resize = Callable[[Image.Image], Image.Image]


class Stream(IntEnum):
    """Who looks at a scene; scenes of two streams share nothing."""

    TRAIN = 0
    HELD_OUT = 1
    TEST = 2


@dataclass(frozen=True)
class Pairs:
    """Rendered scenes beside their captions."""

    pictures: np.ndarray
    """uint8 (num_scenes, num_frames, height, width, 3) RGB, at the size that the model takes."""
    captions: list[str]
    """One a scene."""


def scene_rng(stream: Stream, index: int) -> np.random.Generator:
    """Gives the source of everything random in one scene.

    Args:
        stream: Who looks at it.
        index: Number of the scene in its stream, >= 0.

    Returns:
        The generator: a pure function of the arguments.
    """
    return np.random.default_rng(np.random.SeedSequence(ENTROPY, spawn_key=(stream, index)))


def as_proxy_frame(picture: np.ndarray, quality: int = 90) -> np.ndarray:
    """Sends a picture through JPEG, as the pipeline does with every frame that it keeps.

    Args:
        picture: uint8 (H, W, 3) RGB.
        quality: Of the JPEG, 0..100.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    # Red and blue change places in both calls, which cancels.
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None, "what was just encoded decodes"
    return decoded


def wear(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Changes the light, the focus and the JPEG quality a little; nothing that the caption speaks of.

    Args:
        picture: uint8 (H, W, 3) RGB.
        rng: Source of how much.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    lit = cv2.convertScaleAbs(picture, alpha=rng.uniform(0.3, 1.15))
    soft = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.1, 1.5))
    return as_proxy_frame(soft, int(rng.integers(50, 96)))


def train_scene(index: int, resize: Resize, num_frames: int) -> tuple[np.ndarray, str]:
    """Renders one training scene at random instants.

    Args:
        index: Number of the scene, >= 0.
        resize: The model's own resizing, from and to a PIL image.
        num_frames: Instants to render.

    Returns:
        uint8 (num_frames, height, width, 3) RGB, and the caption.
    """
    rng = scene_rng(Stream.TRAIN, index)
    scene = random_scene(rng)
    frames = [wear(scene.frame(t_s), rng) for t_s in rng.uniform(0, SCENE_S, num_frames)]
    return _resized(frames, resize), scene.caption


def held_out_scene(index: int, resize: Resize, stream: Stream) -> tuple[np.ndarray, str]:
    """Renders one scene as a scorer sees it: first, middle and last proxy frame.

    Args:
        index: Number of the scene, >= 0.
        resize: The model's own resizing, from and to a PIL image.
        stream: HELD_OUT or TEST.

    Returns:
        uint8 (3, height, width, 3) RGB, and the caption.
    """
    scene = random_scene(scene_rng(stream, index))
    frames = [as_proxy_frame(scene.frame(t_s)) for t_s in (0.0, SCENE_S / 2, SCENE_S)]
    return _resized(frames, resize), scene.caption


def train_pairs(num_scenes: int, num_frames: int, resize: Resize, num_workers: int) -> Pairs:
    """Renders the training scenes in several processes; their number changes nothing in the result."""
    render = partial(train_scene, resize=resize, num_frames=num_frames)
    # A process forked from one that runs torch threads can hang; a spawned one cannot.
    with ProcessPoolExecutor(num_workers, multiprocessing.get_context("spawn")) as workers:
        return _stacked(workers.map(render, range(num_scenes), chunksize=_CHUNK), num_scenes)


def held_out_pairs(num_scenes: int, resize: Resize, stream: Stream = Stream.HELD_OUT) -> Pairs:
    """Renders scenes that training never saw, three frames each, in this process."""
    return _stacked((held_out_scene(index, resize, stream) for index in range(num_scenes)), num_scenes)


def _resized(frames: list[np.ndarray], resize: Resize) -> np.ndarray:
    return np.stack([np.asarray(resize(Image.fromarray(frame))) for frame in frames])


def _stacked(scenes: Iterable[tuple[np.ndarray, str]], num_scenes: int) -> Pairs:
    """Fills one array scene by scene, so that the pool never stands in memory twice."""
    pictures, captions = None, []
    for index, (frames, caption) in enumerate(scenes):
        if pictures is None:
            pictures = np.empty((num_scenes, *frames.shape), np.uint8)
        pictures[index] = frames
        captions.append(caption)
    assert pictures is not None, "num_scenes is at least 1"
    return Pairs(pictures, captions)
