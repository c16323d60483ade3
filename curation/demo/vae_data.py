"""Frames for the demo VAE, rendered from seeds that the demo corpus and the demo CLIP never use.

Owns the seeds and the size of the frames; what a scene shows is `world`'s, and how it wears is `clip_data`'s.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import cv2
import numpy as np

from curation.demo.clip_data import SCENE_S, Stream, as_proxy_frame, wear
from curation.demo.world import random_scene

ENTROPY = 0x5C0DE
"""Root of every seed here. The demo corpus grows from `DemoConfig.seed` (0), the CLIP from `clip_data.ENTROPY`."""
HEIGHT, WIDTH = 64, 96
"""Size of a frame in pixels: the one at which the demo diffusion model is trained."""
_WORN_SHARE = 0.25  # enough to know dark and soft frames, little enough to stay with those that most clips show
_CHUNK = 64  # scenes that a worker takes at a time


def scene_rng(stream: Stream, index: int) -> np.random.Generator:
    """Gives the source of everything random in one scene.

    Args:
        stream: Who looks at it.
        index: Number of the scene in its stream, >= 0.

    Returns:
        The generator: a pure function of the arguments.
    """
    return np.random.default_rng(np.random.SeedSequence(ENTROPY, spawn_key=(stream, index)))


def fit(picture: np.ndarray) -> np.ndarray:
    """Shrinks a picture until it just covers the frame, then cuts the middle out.

    Args:
        picture: uint8 (H, W, 3) RGB, at least as large as the frame.

    Returns:
        uint8 (HEIGHT, WIDTH, 3) RGB.
    """
    height, width = picture.shape[:2]
    scale = max(HEIGHT / height, WIDTH / width)
    small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    top, left = (small.shape[0] - HEIGHT) // 2, (small.shape[1] - WIDTH) // 2
    return small[top : top + HEIGHT, left : left + WIDTH]


def train_scene(index: int, num_frames: int) -> np.ndarray:
    """Renders one training scene at random instants; some frames are worn, all go through JPEG.

    Args:
        index: Number of the scene, >= 0.
        num_frames: Instants to render.

    Returns:
        uint8 (num_frames, HEIGHT, WIDTH, 3) RGB.
    """
    rng = scene_rng(Stream.TRAIN, index)
    scene = random_scene(rng)
    frames = [scene.frame(t_s) for t_s in rng.uniform(0, SCENE_S, num_frames)]
    kept = [wear(frame, rng) if rng.random() < _WORN_SHARE else as_proxy_frame(frame) for frame in frames]
    return np.stack([fit(frame) for frame in kept])


def held_out_scene(index: int, stream: Stream) -> np.ndarray:
    """Renders one scene without wear: its first, middle and last frame, through JPEG.

    Args:
        index: Number of the scene, >= 0.
        stream: HELD_OUT or TEST.

    Returns:
        uint8 (3, HEIGHT, WIDTH, 3) RGB.
    """
    scene = random_scene(scene_rng(stream, index))
    return np.stack([fit(as_proxy_frame(scene.frame(t_s))) for t_s in (0.0, SCENE_S / 2, SCENE_S)])


def train_frames(num_scenes: int, num_frames: int, num_workers: int) -> np.ndarray:
    """Renders the training scenes in several processes; their number changes nothing in the result.

    Args:
        num_scenes: At least 1.
        num_frames: Of each scene.
        num_workers: Processes.

    Returns:
        uint8 (num_scenes * num_frames, HEIGHT, WIDTH, 3) RGB, scene after scene.
    """
    render = partial(train_scene, num_frames=num_frames)
    frames = np.empty((num_scenes, num_frames, HEIGHT, WIDTH, 3), np.uint8)
    # A process forked from one that runs torch threads can hang; a spawned one cannot.
    with ProcessPoolExecutor(num_workers, multiprocessing.get_context("spawn")) as workers:
        for index, scene in enumerate(workers.map(render, range(num_scenes), chunksize=_CHUNK)):
            frames[index] = scene
    return frames.reshape(-1, HEIGHT, WIDTH, 3)


def held_out_frames(num_scenes: int, stream: Stream = Stream.HELD_OUT) -> np.ndarray:
    """Renders scenes that training never saw: uint8 (num_scenes * 3, HEIGHT, WIDTH, 3) RGB."""
    return np.concatenate([held_out_scene(index, stream) for index in range(num_scenes)])
