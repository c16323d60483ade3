"""Draws a sprite into a frame: its shadow first, then the thing itself, touching only the box that it covers."""

import cv2
import numpy as np


def _placed(
    image: np.ndarray, sprite: np.ndarray, x: float, y: float, radius: float, angle_deg: float, outside: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Warps a sprite to its place; returns the view of the image it covers and the warped sprite of that size."""
    reach = int(radius * 1.7) + 2
    left, right = max(int(x) - reach, 0), min(int(x) + reach, image.shape[1])
    top, bottom = max(int(y) - reach, 0), min(int(y) + reach, image.shape[0])
    if left >= right or top >= bottom:
        return None
    half = sprite.shape[0] / 2
    matrix = cv2.getRotationMatrix2D((half, half), -angle_deg, radius / (half / 2))
    matrix[:, 2] += (x - left - half, y - top - half)
    border = (outside,) * 4
    warped = cv2.warpAffine(sprite, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderValue=border)
    return image[top:bottom, left:right], warped


def cast_shadow(image: np.ndarray, shadow: np.ndarray, x: float, y: float, radius: float, angle_deg: float) -> None:
    """Darkens an image where a shadow falls.

    Args:
        image: uint8 (H, W, 3) RGB, changed in place.
        shadow: uint8 (S, S), of a `Sprite`.
        x: Column of the middle, in pixels; may lie outside.
        y: Row of the middle, in pixels.
        radius: Radius of the shadow, in pixels.
        angle_deg: Turn, clockwise.
    """
    if placed := _placed(image, shadow, x, y, radius, angle_deg, outside=255):
        view, left_light = placed
        view[:] = cv2.multiply(view, cv2.cvtColor(left_light, cv2.COLOR_GRAY2RGB), scale=1 / 255)


def paste(image: np.ndarray, sprite: np.ndarray, x: float, y: float, radius: float, angle_deg: float) -> None:
    """Lays a sprite over an image.

    Args:
        image: uint8 (H, W, 3) RGB, changed in place.
        sprite: uint8 (S, S, 4), of a `Sprite`.
        x: Column of the middle, in pixels; may lie outside.
        y: Row of the middle, in pixels.
        radius: Radius of the thing, in pixels.
        angle_deg: Turn, clockwise.
    """
    if placed := _placed(image, sprite, x, y, radius, angle_deg, outside=0):
        view, warped = placed
        uncovered = cv2.cvtColor(255 - warped[..., 3], cv2.COLOR_GRAY2RGB)
        view[:] = cv2.add(cv2.multiply(view, uncovered, scale=1 / 255), warped[..., :3])
