"""Short clips and what they show, rendered for the demo video network from seeds that nothing else uses.

Owns the seeds, the labels, and how these change when a clip is mirrored, played backwards or stopped.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from curation.demo.backgrounds import FAMILIES
from curation.demo.clip_data import Stream
from curation.demo.motion import CAMERA_MOVES, DIRECTIONS
from curation.demo.shapes import COLOURS, SHAPES
from curation.demo.vae_data import HEIGHT, WIDTH, fit
from curation.demo.world import Scene, random_scene

ENTROPY = 0x71DE0
"""Root of every seed here; the corpus, the CLIP, the VAE and the held-out scenes have others."""
SLOWEST_FPS, FASTEST_FPS = 4.0, 12.0
LAST_S = 3.0
"""Things keep in view so long."""
STANDS = "stands"
"""What every thing does in a clip that is made to stand still."""
MOVES = (*(f"moves {direction}" for direction in DIRECTIONS), "turns", "grows", "shrinks", STANDS)
_CHUNK = 32  # scenes that a worker takes at a time
_OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up", "in": "out", "out": "in"}
_OPPOSITE |= {"grows": "shrinks", "shrinks": "grows"}


@dataclass(frozen=True)
class Clips:
    """Rendered clips beside their labels; N of them."""

    frames: np.ndarray
    """uint8 (N, T, H, W, 3) RGB."""
    background: np.ndarray
    """int64 (N,): place in `FAMILIES`."""
    camera: np.ndarray
    """int64 (N,): place in `CAMERA_MOVES`."""
    shapes: np.ndarray
    """float32 (N, shapes): 1 where a thing has it."""
    doings: np.ndarray
    """float32 (N, colours, moves): 1 where a thing of that colour does that."""
    velocity: np.ndarray
    """float32 (N, 2): of the things on average, right and down, in hundredths of a frame height a frame."""

    def at(self, rows: np.ndarray) -> "Clips":
        """Some of them, in that order."""
        return Clips(**{name: values[rows] for name, values in vars(self).items()})

    def mirrored(self) -> "Clips":
        """Left and right change places."""
        moves, cameras = _renaming(MOVES, ("left", "right")), _renaming(CAMERA_MOVES, ("left", "right"))
        seen = self.frames[:, :, :, ::-1]
        return Clips(
            seen, self.background, cameras[self.camera], self.shapes, self.doings[:, :, moves], self.velocity * (-1, 1)
        )

    def backwards(self) -> "Clips":
        """The last frame comes first."""
        moves, cameras = _renaming(MOVES, tuple(_OPPOSITE)), _renaming(CAMERA_MOVES, tuple(_OPPOSITE))
        doings = self.doings[:, :, moves]
        return Clips(self.frames[:, ::-1], self.background, cameras[self.camera], self.shapes, doings, -self.velocity)

    def still(self) -> "Clips":
        """The first frame stays."""
        doings = np.zeros_like(self.doings)
        doings[:, :, MOVES.index(STANDS)] = self.doings.max(axis=2)
        cameras = np.full_like(self.camera, CAMERA_MOVES.index(""))
        frames = np.repeat(self.frames[:, :1], self.frames.shape[1], axis=1)
        return Clips(frames, self.background, cameras, self.shapes, doings, 0 * self.velocity)


def _renaming(names: tuple[str, ...], words: tuple[str, ...]) -> np.ndarray:
    """Where each name's counterpart stands, with these words replaced by their opposites; its own inverse."""
    turned = [" ".join(_OPPOSITE[word] if word in words else word for word in name.split()) for name in names]
    return np.array([names.index(name) for name in turned])


def clip_of(stream: Stream, index: int, num_frames: int) -> Clips:
    """Renders one clip of a random scene, at a random start and rate.

    Args:
        stream: who looks at it.
        index: number of the scene in its stream, >= 0.
        num_frames: T.

    Returns:
        N = 1: a pure function of the arguments.
    """
    rng = np.random.default_rng(np.random.SeedSequence(ENTROPY, spawn_key=(stream, index)))
    scene, fps = random_scene(rng), rng.uniform(SLOWEST_FPS, FASTEST_FPS)
    start_s = rng.uniform(0, LAST_S - (num_frames - 1) / fps)
    frames = np.stack([fit(scene.frame(start_s + number / fps)) for number in range(num_frames)])
    return _labelled(scene, fps, frames[None])


def _labelled(scene: Scene, fps: float, frames: np.ndarray) -> Clips:
    shapes, doings = np.zeros((1, len(SHAPES)), np.float32), np.zeros((1, len(COLOURS), len(MOVES)), np.float32)
    for thing in scene.things:
        shapes[0, SHAPES.index(thing.shape)] = 1
        doings[0, list(COLOURS).index(thing.colour), MOVES.index(thing.move)] = 1
    speeds = np.mean([(thing.path.speed_x, thing.path.speed_y) for thing in scene.things], axis=0) * 100 / fps
    background, camera = list(FAMILIES).index(scene.background), CAMERA_MOVES.index(scene.camera_move)
    return Clips(frames, np.array([background]), np.array([camera]), shapes, doings, speeds[None].astype(np.float32))


def clips_of(stream: Stream, number: int, num_frames: int, num_workers: int) -> Clips:
    """Renders the first clips of a stream in several processes; how many changes nothing in the result."""
    frames = np.empty((number, num_frames, HEIGHT, WIDTH, 3), np.uint8)
    labels: list[Clips] = []
    # A process forked from one that runs torch threads can hang; a spawned one cannot.
    with ProcessPoolExecutor(num_workers, multiprocessing.get_context("spawn")) as workers:
        render = partial(clip_of, stream, num_frames=num_frames)
        for index, clip in enumerate(workers.map(render, range(number), chunksize=_CHUNK)):
            frames[index] = clip.frames[0]
            labels.append(clip)
    names = [name for name in vars(labels[0]) if name != "frames"]
    return Clips(frames, **{name: np.concatenate([getattr(each, name) for each in labels]) for name in names})
