"""The things that move through the world: masks of simple shapes, and coloured, shaded sprites made from them."""

from dataclasses import dataclass

import cv2
import numpy as np

from curation.demo.textures import Colour, fractal_noise

COLOURS: dict[str, Colour] = {
    "red": (222, 32, 36),
    "orange": (250, 134, 12),
    "yellow": (250, 224, 30),
    "green": (28, 190, 52),
    "cyan": (24, 216, 226),
    "blue": (26, 62, 226),
    "purple": (158, 36, 200),
    "white": (246, 246, 246),
}
SHAPES = ("circle", "square", "triangle", "star", "ring", "cross", "heart")
ROUND_SHAPES = ("circle", "ring")  # these look the same however they are turned

_SHADOW_DEPTH = 0.5


@dataclass(frozen=True)
class Sprite:
    """A thing drawn once, upright, to be warped into each frame; its radius is a quarter of its side."""

    colour: np.ndarray
    """uint8 (S, S, 4): RGB premultiplied by alpha, then alpha."""
    shadow: np.ndarray
    """uint8 (S, S): what is left of the light in its shadow, 255 outside."""


def _regular_points(corners: int, radii: tuple[float, ...]) -> np.ndarray:
    angles = 2 * np.pi * np.arange(corners) / corners - np.pi / 2
    return np.resize(radii, corners)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _heart_points() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 60)
    down = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([16 * np.sin(t) ** 3, down], axis=-1) / 16


def _cross_points() -> np.ndarray:
    arm, end = 0.32, 0.95
    quarter = np.array([(arm, -end), (arm, -arm), (end, -arm)])
    turns = [np.array([[0, -1], [1, 0]]), np.array([[-1, 0], [0, -1]]), np.array([[0, 1], [-1, 0]])]
    return np.concatenate([quarter, *(quarter @ turn.T for turn in turns)])


def _outline(shape: str) -> np.ndarray:
    if shape == "square":
        return _regular_points(4, (1.1,)) @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    if shape == "triangle":
        return _regular_points(3, (1.15,))
    if shape == "star":
        return _regular_points(10, (1.15, 0.5))
    if shape == "heart":
        return _heart_points()
    if shape == "cross":
        return _cross_points()
    return _regular_points(64, (0.95,))


def mask(shape: str, side: int) -> np.ndarray:
    """Draws a shape with a radius of side / 4 in the middle of a square.

    Args:
        shape: One of `SHAPES`.
        side: Rows and columns, in pixels.

    Returns:
        uint8 (side, side): 255 inside, 0 outside, smooth at the edge.
    """
    image = np.zeros((side, side), np.uint8)
    points = (_outline(shape) * side / 4 + side / 2) * 16
    cv2.fillPoly(image, [np.round(points).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    if shape == "ring":
        cv2.circle(image, (side // 2, side // 2), round(side * 0.13), 0, -1, cv2.LINE_AA)
    return image


def make_sprite(shape: str, colour: str, rng: np.random.Generator, side: int) -> Sprite:
    """Gives a shape its colour, a marbled surface, a darker rim and a soft shadow.

    Args:
        shape: One of `SHAPES`.
        colour: A key of `COLOURS`.
        rng: Source of the marbling.
        side: Rows and columns of the sprite, in pixels.

    Returns:
        The sprite.
    """
    alpha = mask(shape, side)
    bulge = np.clip(cv2.distanceTransform(alpha, cv2.DIST_L2, 3) * 12 / side, 0, 1)
    marble = fractal_noise(rng, side, side, cells=5, octaves=4)
    shade = (0.5 + 0.4 * np.sqrt(bulge) + 0.35 * (marble - 0.5)) * (alpha / 255.0)
    paint = np.clip(shade[..., None] * np.array(COLOURS[colour]) * 1.12, 0, alpha[..., None])
    blurred = cv2.GaussianBlur(alpha, (0, 0), side / 28)
    return Sprite(
        colour=np.dstack([paint.astype(np.uint8), alpha]),
        shadow=cv2.convertScaleAbs(blurred, alpha=-_SHADOW_DEPTH, beta=255),
    )
