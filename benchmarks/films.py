"""Renders short synthetic films with every kind of boundary, and of what is mistaken for one; tells what is where.

    python benchmarks/films.py OUT --films 100 --material FOLDER...

OUT/<number>.mp4 and .json; the material, pictures and uncut footage, makes them look real. Without it photographs are
scenes of the demo world.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.film_effects import Effect, Effects, random_grade
from benchmarks.film_shots import FONT, HEIGHT, WIDTH, CardShot, Material, Shot, random_shot

CRFS = (18, 23, 28, 33)
SHORTEST_PLAIN = 3  # frames: a shorter plain part between two fades makes one transition of them


@dataclass
class Film:
    """Frames, uint8 (HEIGHT, WIDTH, 3) RGB, and what is true of them."""

    frames: list[np.ndarray] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    """First frame of each new scene."""
    gradual: list[tuple[int, int]] = field(default_factory=list)
    """First and last frame of each transition."""


class Scene:
    """A shot with its effects, played from frame to frame."""

    def __init__(self, rng: np.random.Generator, shot: Shot, length: int, material: Material, grade: Effect) -> None:
        self.shot, self.length = shot, length
        self._effects = None if isinstance(shot, CardShot) else Effects(rng, length, material, grade)
        self._next, self._gain, self._shift = 0, np.ones(3), np.zeros(3)
        picture = shot.frame(0)
        self._mean, self._std = picture.mean(axis=(0, 1)), picture.std(axis=(0, 1)) + 1

    def resemble(self, other: "Scene", share: float) -> None:
        """Takes on the colours of another scene, wholly or in part, as scenes of one place and hour have them."""
        self._gain = np.clip(other._std / self._std, 0.3, 3) ** share
        wanted = self._mean + share * (other._mean - self._mean)
        self._shift = wanted - self._gain * self._mean
        self._mean, self._std = wanted, self._std * self._gain

    def play(self, count: int) -> list[np.ndarray]:
        """The next frames, float32."""
        numbers = range(self._next, self._next + count)
        self._next += count
        if self._effects is None:
            return [self.shot.frame(k).astype(np.float32) for k in numbers]
        return [self._effects.apply(self._picture(self._effects.source(k)), k) for k in numbers]

    def _picture(self, k: int) -> np.ndarray:
        return (self.shot.frame(k) * self._gain + self._shift).astype(np.float32)


class Cutter:
    """Puts a film together."""

    def __init__(self, rng: np.random.Generator, material: Material) -> None:
        self.film, self._rng, self._material = Film(), rng, material
        self._hard_share = rng.choice([0.35, 0.6, 0.85])
        self._pace = rng.choice([0.5, 1, 1, 2])
        self._grade = random_grade(rng) if rng.random() < 0.6 else None  # of the whole film
        self._alike_share = rng.choice([0, 0.3, 0.7])

    def run(self, num_shots: int) -> Film:
        """The film."""
        scene = self._scene(None)
        if self._rng.random() < 0.3:
            self._show(self._plain(self._colour(), int(self._rng.choice([0, 1, 5, 20]))))
            self._mix(self._plain(self._colour(), length := int(self._rng.integers(4, 50))), scene.play(length))
        for _ in range(num_shots - 1):
            self._show(scene.play(scene.length))
            following = self._scene(scene)
            self._join(scene, following)
            scene = following
        self._show(scene.play(scene.length))
        if self._rng.random() < 0.3:
            length = int(self._rng.integers(5, 45))
            self._mix(scene.play(length), self._plain(colour := self._colour(), length))
            self._show(self._plain(colour, int(self._rng.choice([0, 1, 5, 20]))))
        return self.film

    def _scene(self, before: Scene | None) -> Scene:
        length = int(np.clip(self._rng.gamma(3, 18) / self._pace, 8, 200))
        shot = random_shot(self._rng, self._material, before.shot if before else None)
        scene = Scene(self._rng, shot, length, self._material, self._grade or random_grade(self._rng))
        if before and not isinstance(before.shot, CardShot) and self._rng.random() < self._alike_share:
            scene.resemble(before, self._rng.uniform(0.5, 1))
        return scene

    def _join(self, scene: Scene, following: Scene) -> None:
        choice = self._rng.random()
        if self._rng.random() < self._hard_share:
            self.film.cuts.append(len(self.film.frames))
            if self._rng.random() < 0.1:  # converted from another rate: one frame shows both
                share = self._rng.uniform(0.2, 0.8)
                self._show([share * scene.play(1)[0] + (1 - share) * following.play(1)[0]])
        elif choice < 0.42:
            ranges = [(4, 12), (8, 30), (20, 61)]
            length = int(self._rng.integers(*ranges[self._rng.integers(3)]))
            self._mix(scene.play(length), following.play(length))
        elif choice < 0.92:
            self._through_plain(scene, following)
        else:
            self._wipe(scene, following, int(self._rng.integers(6, 30)))

    def _through_plain(self, scene: Scene, following: Scene) -> None:
        """Fades out and in, or only one of them with a cut on the other side, or cuts to and from a plain colour."""
        colour, way = self._colour(), self._rng.choice(["both", "both", "both", "out", "in", "none"])
        plain = int(self._rng.choice([0, 1, 3, 8, 20, 40])) if way == "both" else int(self._rng.choice([4, 8, 20, 40]))
        if way in ("both", "out"):
            length = int(self._rng.integers(4, 45))
            self._mix(scene.play(length), self._plain(colour, length))
        else:
            self.film.cuts.append(len(self.film.frames))
        self._show(self._plain(colour, plain))
        if way in ("both", "in"):
            length = int(self._rng.integers(4, 45))
            self._mix(self._plain(colour, length), following.play(length))
        else:
            self.film.cuts.append(len(self.film.frames))
        if way == "both" and plain < SHORTEST_PLAIN:
            last = self.film.gradual.pop()[1]
            self.film.gradual.append((self.film.gradual.pop()[0], last))

    def _mix(self, before: list[np.ndarray], after: list[np.ndarray]) -> None:
        shares = np.arange(1, len(before) + 1) / (len(before) + 1)
        shares = shares**2 * (3 - 2 * shares) if self._rng.random() < 0.3 else shares
        self._transition([a * (1 - share) + b * share for a, b, share in zip(before, after, shares, strict=True)])

    def _wipe(self, scene: Scene, following: Scene, length: int) -> None:
        pushes, frames = self._rng.random() < 0.33, []
        for k, (a, b) in enumerate(zip(scene.play(length), following.play(length), strict=True)):
            edge = int(WIDTH * (k + 1) / (length + 1))
            frame = np.roll(a, -edge, axis=1) if pushes else a.copy()
            frame[:, WIDTH - edge :] = b[:, :edge] if pushes else b[:, WIDTH - edge :]
            frames.append(frame)
        self._transition(frames)

    def _transition(self, frames: list[np.ndarray]) -> None:
        self.film.gradual.append((len(self.film.frames), len(self.film.frames) + len(frames) - 1))
        self._show(frames)

    def _show(self, frames: list[np.ndarray]) -> None:
        self.film.frames += [np.clip(frame, -100, 400).astype(np.int16) for frame in frames]

    def _colour(self) -> np.ndarray:
        black, white = np.zeros(3), np.full(3, 255.0)
        choices = [black, white, np.full(3, self._rng.uniform(30, 220)), self._rng.uniform(0, 256, 3)]
        return choices[self._rng.choice(4, p=[0.65, 0.15, 0.1, 0.1])]

    def _plain(self, colour: np.ndarray, length: int) -> list[np.ndarray]:
        return [np.full((HEIGHT, WIDTH, 3), colour, np.float32)] * length


def render_film(seed: int, material: Material, num_shots: int = 14) -> Film:
    """A film that depends on the seed and the material alone."""
    rng = np.random.default_rng([77, seed])
    film = Cutter(rng, material).run(num_shots)
    grain, bars = rng.choice([0, 0, 2, 6, 10]), int(HEIGHT * rng.choice([0, 0, 0, 0.1, 0.13]))
    logo = np.zeros((HEIGHT, WIDTH), np.uint8)
    if rng.random() < 0.3:
        place = (int(rng.integers(4, WIDTH - 90)), int(rng.choice([18, HEIGHT - 10, HEIGHT // 2])))
        cv2.putText(logo, "SAMPLE", place, FONT, rng.uniform(0.35, 0.8), int(rng.uniform(100, 255)), 1, cv2.LINE_AA)
    film.frames = [_printed(frame, rng, grain, bars, logo[..., None] / 255) for frame in film.frames]
    return film


def _printed(frame: np.ndarray, rng: np.random.Generator, grain: float, bars: int, logo: np.ndarray) -> np.ndarray:
    """Grain, black bars and a logo, which stay through every transition."""
    shown = frame + (grain * rng.standard_normal((HEIGHT, WIDTH, 1), np.float32) if grain else 0)
    shown[:bars] = shown[HEIGHT - bars :] = 0
    return np.clip(shown * (1 - logo) + 255 * logo, 0, 255).astype(np.uint8)


def write_film(path: Path, frames: list[np.ndarray], crf: int, fps: int = 24) -> None:
    """Encodes frames as H.264, whose losses are part of what detectors see."""
    with av.open(str(path), "w") as container:
        options = {"crf": str(crf), "preset": "superfast", "threads": "1"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def main() -> None:
    """Renders films into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--films", type=int, default=100)
    parser.add_argument("--material", type=Path, nargs="*", default=[])
    parser.add_argument("--first", type=int, default=0, help="number of the first film")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    numbers = range(options.first, options.first + options.films)
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        list(pool.map(render, numbers, repeat(options.out), repeat(tuple(options.material))))


def render(number: int, out: Path, folders: tuple[Path, ...]) -> None:
    """Writes a film and its truth."""
    cv2.setNumThreads(1)
    film = render_film(number, _material(folders))
    write_film(out / f"{number:04d}.mp4", film.frames, CRFS[number % len(CRFS)])
    truth = {"cuts": film.cuts, "gradual": film.gradual}
    (out / f"{number:04d}.json").write_text(json.dumps(truth), encoding="utf-8")


@cache
def _material(folders: tuple[Path, ...]) -> Material:
    return Material.load(list(folders))


if __name__ == "__main__":
    main()
