"""How things and the camera move: closed-form paths, so that any instant can be asked for on its own."""

from dataclasses import dataclass

import numpy as np

DIRECTIONS: dict[str, tuple[int, int]] = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
    "up left": (-1, -1),
    "up right": (1, -1),
    "down left": (-1, 1),
    "down right": (1, 1),
}
CAMERA_MOVES = ("", "pans left", "pans right", "zooms in", "zooms out")

_PAN_MIDDLE_S = 2.0  # a pan passes the middle of the background then, so that it comes to neither end


@dataclass(frozen=True)
class Pose:
    """Where a thing is at one instant; lengths in frame heights from the middle of the frame, y down."""

    x: float
    y: float
    radius: float
    angle_deg: float


@dataclass(frozen=True)
class Path:
    """A thing's motion: straight, at constant speed, with constant spin and growth; lengths in frame heights."""

    start: Pose
    speed_x: float = 0.0
    speed_y: float = 0.0
    spin_deg: float = 0.0
    """Degrees a second, clockwise."""
    growth: float = 0.0
    """Natural logarithm of the growth of the radius in one second."""

    def at(self, t_s: float) -> Pose:
        """Gives the pose at an instant.

        Args:
            t_s: Seconds since the scene began; growth stops at 4 s so that nothing fills the frame.

        Returns:
            The pose.
        """
        return Pose(
            x=self.start.x + self.speed_x * t_s,
            y=self.start.y + self.speed_y * t_s,
            radius=self.start.radius * float(np.exp(self.growth * min(t_s, 4.0))),
            angle_deg=self.start.angle_deg + self.spin_deg * t_s,
        )


@dataclass(frozen=True)
class Camera:
    """The camera: a steady pan or zoom, and the slight sway of a hand."""

    pan_speed: float = 0.0
    """Frame heights a second; positive looks further and further right."""
    zoom_start: float = 1.0
    zoom_speed: float = 0.0
    """Natural logarithm of the enlargement in one second."""
    sway_phase: float = 0.0
    """Radians."""

    def zoom(self, t_s: float) -> float:
        """Gives the enlargement at t_s seconds; a zoom stops at 4 s."""
        return self.zoom_start * float(np.exp(self.zoom_speed * min(t_s, 4.0)))

    def look_at(self, t_s: float) -> tuple[float, float]:
        """Gives the point looked at, x and y in frame heights, at t_s seconds."""
        sway_x = 0.006 * np.sin(2.9 * t_s + self.sway_phase) + 0.003 * np.sin(7.1 * t_s)
        sway_y = 0.005 * np.sin(3.7 * t_s + 2 * self.sway_phase)
        return self.pan_speed * (t_s - _PAN_MIDDLE_S) + float(sway_x), float(sway_y)


def random_camera(rng: np.random.Generator, move: str) -> Camera:
    """Draws a camera.

    Args:
        rng: Source of the speeds.
        move: One of `CAMERA_MOVES`.

    Returns:
        The camera; the empty move stands, but for the sway.
    """
    phase = rng.uniform(0, 6.28)
    speed = rng.uniform(0.14, 0.24)
    if move.startswith("pans"):
        return Camera(pan_speed=speed if move == "pans right" else -speed, sway_phase=phase)
    if move.startswith("zooms"):
        zooms_in = move == "zooms in"
        rate = speed * 0.55
        return Camera(zoom_start=1.0 if zooms_in else 1.45, zoom_speed=rate if zooms_in else -rate, sway_phase=phase)
    return Camera(sway_phase=phase)


def random_path(rng: np.random.Generator, move: str, half_width: float, half_height: float, radius: float) -> Path:
    """Draws a path that keeps a thing in view for at least 3 s.

    Args:
        rng: Source of place and speed.
        move: "moves <direction>", "turns", "grows" or "shrinks".
        half_width: How far from the middle it may reach to the side, in frame heights.
        half_height: How far from the middle it may reach up and down, in frame heights.
        radius: Size of the thing, in frame heights.

    Returns:
        The path.
    """
    room_x, room_y = half_width - radius - 0.03, half_height - radius - 0.03
    x, y, tilt = rng.uniform(-room_x, room_x), rng.uniform(-room_y, room_y), rng.uniform(-25, 25)
    if move.startswith("moves "):
        toward_x, toward_y = DIRECTIONS[move.removeprefix("moves ")]
        x = -toward_x * room_x * rng.uniform(0.6, 1.0) if toward_x else x
        y = -toward_y * room_y * rng.uniform(0.8, 1.0) if toward_y else y
        start = Pose(x, y, radius, tilt)
        return Path(start, toward_x * room_x * rng.uniform(0.4, 0.55), toward_y * room_y * rng.uniform(0.5, 0.62))
    if move == "turns":
        return Path(Pose(x, y, radius, tilt), spin_deg=rng.choice((-1, 1)) * rng.uniform(80, 150))
    rate = rng.uniform(0.2, 0.28)
    grows = move == "grows"
    return Path(Pose(x, y, radius * (0.7 if grows else 1.35), tilt), growth=rate if grows else -rate)
