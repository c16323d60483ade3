"""The true optical flow of a rendered scene, in closed form: where each pixel of one instant is at another."""

import numpy as np

from curation.demo import backgrounds
from curation.demo.compositing import paste
from curation.demo.motion import Camera, Path
from curation.demo.world import Scene, Thing


def displacement(scene: Scene, t0_s: float, t1_s: float) -> np.ndarray:
    """Where each pixel of an instant moves until another, as things and the camera move; shadows are not told.

    Args:
        scene: of the world.
        t0_s: Seconds since the scene began; the pixels are those of this instant.
        t1_s: Seconds since the scene began.

    Returns:
        float32 (H, W, 2), along x and y in pixels of the frame; a place that is covered later moves on all the same.
    """
    rows, columns = np.mgrid[: scene.height, : scene.width] + 0.5
    place = np.stack([columns - scene.width / 2, rows - scene.height / 2], axis=-1) / scene.height
    moved = _background(scene, place, t0_s, t1_s)
    for thing in scene.things:
        covered = _cover(scene, thing, t0_s)
        moved[covered] = _thing(scene.camera, thing.path, place[covered], t0_s, t1_s)
    return ((moved - place) * scene.height).astype(np.float32)


def _background(scene: Scene, place: np.ndarray, t0_s: float, t1_s: float) -> np.ndarray:
    """Places (..., 2) in frame heights from the middle of the frame; so are the outcome's."""
    camera, drift = scene.camera, np.array(backgrounds.FLOW.get(scene.background, (0.0, 0.0)))
    on_canvas = place / camera.zoom(t0_s) + camera.look_at(t0_s) + drift * t0_s
    return (on_canvas - camera.look_at(t1_s) - drift * t1_s) * camera.zoom(t1_s)


def _thing(camera: Camera, path: Path, place: np.ndarray, t0_s: float, t1_s: float) -> np.ndarray:
    before, after = path.at(t0_s), path.at(t1_s)
    from_middle = (place / camera.zoom(t0_s) - (before.x, before.y)) * (after.radius / before.radius)
    turn = np.radians(after.angle_deg - before.angle_deg)
    turned = from_middle @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return (turned + np.array([after.x, after.y])) * camera.zoom(t1_s)


def _cover(scene: Scene, thing: Thing, t_s: float) -> np.ndarray:
    """Which pixels show the thing: bool (H, W)."""
    pose, scale = thing.path.at(t_s), scene.camera.zoom(t_s) * scene.height
    alpha = np.repeat(thing.sprite.colour[..., 3:], 4, axis=2)
    image = np.zeros((scene.height, scene.width, 3), np.uint8)
    x, y = scene.width / 2 + pose.x * scale, scene.height / 2 + pose.y * scale
    paste(image, alpha, x, y, pose.radius * scale, pose.angle_deg)
    return image[..., 0] > 127
