"""The rendered world: random scenes of coloured things over textured backgrounds, each with its caption.

Owns what a scene shows at an instant and how it is described. Files, cuts and faults are made elsewhere.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from curation.demo import backgrounds, motion
from curation.demo.compositing import cast_shadow, paste
from curation.demo.film import GRAIN_MEAN, grain_at, make_grain, make_vignette
from curation.demo.shapes import COLOURS, ROUND_SHAPES, SHAPES, Sprite, make_sprite

_CANVAS_SCALE = 1.4  # the canvas mirrors at its ends, so a long pan never leaves it
_SHADOW_OFFSET = (0.035, 0.05)  # frame heights, right and down
_NUM_THINGS = (1, 1, 1, 2, 2, 2, 3)


@dataclass(frozen=True)
class Thing:
    """One coloured shape on its way through the scene."""

    colour: str
    shape: str
    move: str
    path: motion.Path
    sprite: Sprite

    @property
    def caption(self) -> str:
        """The thing and what it does: "a red circle moves left"."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {self.shape} {self.move}"


@dataclass(frozen=True)
class Scene:
    """A scene of the world; `frame` is a pure function of time."""

    width: int
    height: int
    background: str
    """A key of `backgrounds.FAMILIES`."""
    camera_move: str
    """One of `motion.CAMERA_MOVES`; empty when the camera stands."""
    things: tuple[Thing, ...]
    """Back to front."""
    camera: motion.Camera
    canvas: np.ndarray
    """uint8 (H', W', 3) RGB: the background, larger than the frame."""
    vignette: np.ndarray
    """uint8 (H, W, 3): light left at each pixel, of 255."""
    grain: np.ndarray
    """uint8 (H + margin, W + margin, 3): film grain about its mean."""

    @property
    def caption(self) -> str:
        """What the scene shows: the things, the background, and the camera when it moves."""
        things = " and ".join(thing.caption for thing in self.things)
        camera = f", the camera {self.camera_move}" if self.camera_move else ""
        return f"{things} over a {self.background} background{camera}"

    def frame(self, t_s: float) -> np.ndarray:
        """Renders one instant.

        Args:
            t_s: Seconds since the scene began, >= 0.

        Returns:
            uint8 (height, width, 3) RGB.
        """
        image = self._render_background(t_s)
        for thing in self.things:
            self._render_thing(image, thing, t_s)
        image = cv2.multiply(image, self.vignette, scale=1 / 255)
        return cv2.addWeighted(image, 1.0, grain_at(self.grain, t_s), 1.0, -GRAIN_MEAN)

    def _render_background(self, t_s: float) -> np.ndarray:
        zoom = self.camera.zoom(t_s)
        look_x, look_y = self.camera.look_at(t_s)
        flow_x, flow_y = backgrounds.FLOW.get(self.background, (0.0, 0.0))
        centre_x = self.canvas.shape[1] / 2 + (look_x + flow_x * t_s) * self.height
        centre_y = self.canvas.shape[0] / 2 + (look_y + flow_y * t_s) * self.height
        to_canvas = np.array(
            [
                [1 / zoom, 0, centre_x - self.width / 2 / zoom],
                [0, 1 / zoom, centre_y - self.height / 2 / zoom],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (self.width, self.height)
        return cv2.warpAffine(self.canvas, to_canvas, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101)

    def _render_thing(self, image: np.ndarray, thing: Thing, t_s: float) -> None:
        pose, zoom = thing.path.at(t_s), self.camera.zoom(t_s)
        radius = pose.radius * zoom * self.height
        x = self.width / 2 + pose.x * zoom * self.height
        y = self.height / 2 + pose.y * zoom * self.height
        shift_x, shift_y = (offset * zoom * self.height for offset in _SHADOW_OFFSET)
        cast_shadow(image, thing.sprite.shadow, x + shift_x, y + shift_y, radius, pose.angle_deg)
        paste(image, thing.sprite.colour, x, y, radius, pose.angle_deg)


def _crowding(path: motion.Path, others: list[motion.Path]) -> float:
    """How far the path comes into the others', in frame heights; 0 or less when they stay apart."""
    overlaps = [
        a.radius + b.radius - float(np.hypot(a.x - b.x, a.y - b.y))
        for other in others
        for a, b in ((path.at(t_s), other.at(t_s)) for t_s in (0.0, 1.0, 2.0, 3.0))
    ]
    return max(overlaps, default=-1.0)


def _random_things(
    rng: np.random.Generator, background: str, camera_move: str, width: int, height: int
) -> tuple[Thing, ...]:
    zooms = camera_move.startswith("zooms")
    # What is shown at the closest of a zoom is the middle of the frame alone, so things keep to it.
    half_height = 0.38 if zooms else 0.5
    half_width = half_height * width / height
    number = int(rng.choice(_NUM_THINGS))
    lost = backgrounds.LOST_COLOURS.get(background, ())
    colours = rng.permutation([colour for colour in COLOURS if colour not in lost])[:number]
    paths, things = [], []
    for colour in map(str, colours):
        shape = str(rng.choice(SHAPES))
        turns = () if shape in ROUND_SHAPES else ("turns",) * 3
        sizes = () if zooms else ("grows", "shrinks")  # a zoom would hide them
        moves = [*(f"moves {direction}" for direction in motion.DIRECTIONS), *turns, *sizes]
        move = str(rng.choice(moves))
        radius = 2 * half_height * (rng.uniform(0.15, 0.19) if number > 1 else rng.uniform(0.18, 0.24))
        tries = [motion.random_path(rng, move, half_width, half_height, radius) for _ in range(10)]
        paths.append(min(tries, key=lambda path: _crowding(path, paths)))
        things.append(Thing(colour, shape, move, paths[-1], make_sprite(shape, colour, rng, int(height * 0.8))))
    return tuple(things)


def random_scene(rng: np.random.Generator, width: int = 320, height: int = 180) -> Scene:
    """Draws a scene.

    Args:
        rng: Source of everything random; the same state gives the same scene.
        width: Columns of a frame, in pixels.
        height: Rows of a frame, in pixels.

    Returns:
        The scene.
    """
    background = str(rng.choice(list(backgrounds.FAMILIES)))
    camera_move = str(rng.choice(motion.CAMERA_MOVES, p=(0.44, 0.14, 0.14, 0.14, 0.14)))
    canvas_size = (round(height * _CANVAS_SCALE), round(width * _CANVAS_SCALE))
    return Scene(
        width=width,
        height=height,
        background=background,
        camera_move=camera_move,
        things=_random_things(rng, background, camera_move, width, height),
        camera=motion.random_camera(rng, camera_move),
        canvas=backgrounds.paint(background, rng, *canvas_size),
        vignette=make_vignette(rng, width, height),
        grain=make_grain(rng, width, height),
    )
