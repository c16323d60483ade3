"""Scenes of the demo world whose captions no training sample has, and what they really look like."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from curation.demo.world import Scene, random_scene
from training.bucket import Bucket
from training.decode import cover

ENTROPY = 0x51DE0
"""Root of every seed here: neither the corpus nor the demo's CLIP and VAE use it."""
START_S = 0.25
"""When the shown frames begin; things keep in view for 3 s."""
MOVES = "moves "


@dataclass(frozen=True)
class HeldOut:
    """A caption, and a real video of it."""

    caption: str
    num_things: int
    mover: tuple[str, str] | None
    """Colour and direction of the first thing that the caption says to move; None where none does."""
    frames: np.ndarray
    """(T, H, W, 3) uint8 RGB."""


def held_out_scenes(number: int, known: Collection[str], bucket: Bucket, fps: float) -> list[HeldOut]:
    """Renders scenes; the same arguments give the same ones.

    Args:
        number: how many.
        known: captions that are passed over, those of the training samples.
        bucket: frames, height and width.
        fps: frames a second.
    """
    scenes = (scene for scene in _scenes() if scene.caption not in known)
    return [_held_out(scene, bucket, fps) for scene, _ in zip(scenes, range(number), strict=False)]


def _scenes() -> Iterator[Scene]:
    index = 0
    while True:
        yield random_scene(np.random.default_rng([ENTROPY, index]))
        index += 1


def _held_out(scene: Scene, bucket: Bucket, fps: float) -> HeldOut:
    times = START_S + np.arange(bucket.num_frames) / fps
    movers = [(thing.colour, thing.move.removeprefix(MOVES)) for thing in scene.things if thing.move.startswith(MOVES)]
    frames = np.stack([_shown(scene.frame(time_s), bucket) for time_s in times.tolist()])
    return HeldOut(scene.caption, len(scene.things), movers[0] if movers else None, frames)


def _shown(picture: np.ndarray, bucket: Bucket) -> np.ndarray:
    """A picture at the bucket's size, as the trainer sees it: scaled to cover it, the middle cut out."""
    width, height = cover((picture.shape[1], picture.shape[0]), bucket)
    top, left = (height - bucket.height) // 2, (width - bucket.width) // 2
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return scaled[top : top + bucket.height, left : left + bucket.width]
