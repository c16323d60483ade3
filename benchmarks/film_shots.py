"""What synthetic films are cut from: scenes of the demo world, photographs under a moving camera, footage, title cards.

Every shot gives its frame k as uint8 (HEIGHT, WIDTH, 3) RGB.
"""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from curation.demo.world import random_scene
from shards.video import open_video

WIDTH, HEIGHT = 256, 144
FONT = cv2.FONT_HERSHEY_DUPLEX
WORDS = "the river and the night a lamp story of a film chapter one two director camera".split()
LONGEST_CLIP = 300


@dataclass
class Material:
    """Pictures and uncut footage to make shots from, uint8 (H, W, 3) RGB each."""

    photographs: list[np.ndarray] = field(default_factory=list)
    footage: list[list[np.ndarray]] = field(default_factory=list)

    @staticmethod
    def load(folders: list[Path]) -> "Material":
        """Reads all pictures and videos below folders; each video must be one scene without a cut."""
        material = Material()
        for path in sorted(path for folder in folders for path in folder.rglob("*")):
            if path.suffix.lower() in (".jpg", ".jpeg", ".png") and (picture := cv2.imread(str(path))) is not None:
                material.photographs.append(_resized(picture[..., ::-1]))
            elif path.suffix.lower() in (".mp4", ".webm", ".avi", ".mkv", ".gif"):
                with open_video(str(path), threads=1) as video:
                    frames = zip(range(LONGEST_CLIP), video.frames(), strict=False)
                    material.footage.append([frame.rgb(384, 216) for _, frame in frames])
        if not material.photographs:  # the world serves as photographs too
            seeds = range(40)
            material.photographs = [random_scene(np.random.default_rng([5, s]), 640, 480).frame(1.0) for s in seeds]
        return material


def _resized(picture: np.ndarray, short_side: int = 480) -> np.ndarray:
    scale = short_side / min(picture.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(picture), None, fx=scale, fy=scale, interpolation=way)


class WorldShot:
    """A scene of the demo world, slower or faster."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._scene, self._speed = random_scene(rng, WIDTH, HEIGHT), rng.choice([0.3, 1, 1, 2, 4])

    def frame(self, k: int) -> np.ndarray:
        """Frame k."""
        return self._scene.frame(0.7 + k / 24 * self._speed)


class Camera:
    """Looks at part of a picture, and pans, zooms, shakes or whips, all the time or for a while."""

    def __init__(self, rng: np.random.Generator, widest: float) -> None:
        self._zoom = rng.uniform(0.35, widest)
        self._zoom_speed = rng.choice([0, 0, 0.003, 0.003, 0.012]) * rng.normal()
        angle, speed = rng.uniform(0, 6.28), rng.choice([0, 0.0005, 0.002, 0.005, 0.012]) * rng.uniform(0.5, 1.5)
        self._middle = rng.uniform(0.3, 0.7, 2)
        self._pan = speed * np.array([np.cos(angle), np.sin(angle) / 2])
        self._shake, self._phases = rng.choice([0, 0, 0.002, 0.008]) * rng.uniform(0.5, 1.5), rng.uniform(0, 6.28, 4)
        whips, stops = rng.random() < 0.25, rng.random() < 0.4
        self._whip = (rng.integers(10, 60), rng.integers(4, 10), rng.normal() * 0.12 if whips else 0.0)
        self._moves = (rng.integers(0, 40), rng.integers(12, 70)) if stops else (0, 300)

    def look(self, picture: np.ndarray, k: int) -> np.ndarray:
        """What frame k shows of a picture, uint8 (H, W, 3); beyond its edges it is mirrored."""
        height, width = picture.shape[:2]
        start, length, step = self._whip
        waves = np.sin(np.array([0.9, 1.1, 1.7, 2.1]) * k + self._phases)
        sway, moved = waves[:2] + 0.6 * waves[2:], np.clip(k - self._moves[0], 0, self._moves[1])
        middle = self._middle + self._pan * moved + self._shake * sway + [step * np.clip(k - start, 0, length), 0]
        zoom = np.clip(self._zoom * np.exp(self._zoom_speed * moved), 0.12, 1)
        scale = zoom * min(width / WIDTH, height / HEIGHT)
        corner = middle * (width, height) - scale * np.array([WIDTH, HEIGHT]) / 2
        turn = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shown = cv2.warpAffine(picture, turn, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        blur = max(1, min(120, int(abs(step) * width / scale * 0.8)))
        return cv2.blur(shown, (blur, 1)) if step and start <= k < start + length else shown


class FootageShot:
    """Part of a piece of footage, back and forth; often as if the camera had moved besides."""

    def __init__(self, rng: np.random.Generator, frames: list[np.ndarray]) -> None:
        self.frames = frames
        self._speed, self._start = rng.choice([0.5, 1, 1, 1, 2]), rng.integers(len(frames))
        self._mirrored, moves = rng.random() < 0.5, rng.random() < 0.6
        self._camera, self._still = Camera(rng, 1), not moves

    def frame(self, k: int) -> np.ndarray:
        """Frame k."""
        period = max(1, 2 * len(self.frames) - 2)
        index = int(self._start + k * self._speed) % period
        picture = self.frames[index if index < len(self.frames) else period - index]
        shown = self._camera.look(picture, 0 if self._still else k)
        return shown[:, ::-1].copy() if self._mirrored else shown


class PhotographShot:
    """A photograph under a moving camera."""

    def __init__(self, rng: np.random.Generator, picture: np.ndarray) -> None:
        self.picture, self._camera = picture, Camera(rng, 0.95)

    def frame(self, k: int) -> np.ndarray:
        """Frame k."""
        return self._camera.look(self.picture, k)


class CardShot:
    """Words on a plain colour."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.colour = np.zeros(3) if rng.random() < 0.6 else rng.integers(0, 256, 3).astype(float)
        ink, words = (255.0 if self.colour.mean() < 120 else 0.0), text_layer(rng)
        self._picture = (self.colour * (1 - words) + ink * words).astype(np.uint8)

    def frame(self, k: int) -> np.ndarray:
        """The card, whatever k."""
        return self._picture


Shot = WorldShot | FootageShot | PhotographShot | CardShot


def text_layer(rng: np.random.Generator) -> np.ndarray:
    """Lines of words: float32 (HEIGHT, WIDTH, 1), 1 where there is ink."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(rng.integers(1, 4)):
        text, scale = " ".join(rng.choice(WORDS, rng.integers(1, 4))), rng.uniform(0.4, 1.1)
        width = cv2.getTextSize(text, FONT, scale, 1)[0][0]
        place = (max(2, (WIDTH - width) // 2), int(rng.integers(20, HEIGHT - 6)))
        cv2.putText(mask, text, place, FONT, scale, 255, int(rng.integers(1, 3)), cv2.LINE_AA)
    return mask.astype(np.float32)[..., None] / 255


def random_shot(rng: np.random.Generator, material: Material, before: Shot | None) -> Shot:
    """Draws a shot; one in eight shows the same thing as the one before, from elsewhere."""
    choice = rng.random()
    if choice < 0.12 and isinstance(before, PhotographShot):
        return PhotographShot(rng, before.picture)
    if choice < 0.12 and isinstance(before, FootageShot):
        return FootageShot(rng, before.frames)
    if choice < 0.17:
        return CardShot(rng)
    if choice < 0.3:
        return WorldShot(rng)
    if choice < 0.7 and material.footage:
        return FootageShot(rng, material.footage[rng.integers(len(material.footage))])
    return PhotographShot(rng, material.photographs[rng.integers(len(material.photographs))])
