"""Turns the plan of a video into its frames: when each is shown, what it belongs to, and its pixels."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from curation.demo.faults import shown_instant, spoil
from curation.demo.plan import ScenePlan, VideoPlan
from curation.demo.world import Scene

_LEAD_S = 0.7  # a scene is at this instant when it begins, since a transition may show it earlier
_DROP_SHARE = 0.2
_JITTER = 0.25  # of the frame distance


@dataclass(frozen=True)
class Segment:
    """A stretch of a video: a scene, or the transition that leads into one. Frames are counted at the nominal rate."""

    kind: str
    """scene | dissolve | fade."""
    scene_index: int
    """The scene, or the one that a transition leads into."""
    start: int
    """First frame."""
    end: int
    """One past the last frame."""


@dataclass(frozen=True)
class Moment:
    """When one frame is shown."""

    number: int
    """Count at the nominal rate; a variable frame rate leaves some out."""
    pts: int
    """Ticks of the encoder's time base."""
    segment: int
    """Index of the segment it belongs to."""


def segments(video: VideoPlan) -> list[Segment]:
    """Lays the scenes and transitions of a video one after the other.

    Args:
        video: The plan of the video.

    Returns:
        Segments without gaps between them; every second or third is a scene.
    """
    laid: list[Segment] = []
    at = 0
    for index, scene in enumerate(video.scenes):
        for kind, duration_s in ((scene.transition, scene.transition_s), ("scene", scene.duration_s)):
            num_frames = round(duration_s * video.encoding.fps)
            if num_frames:
                laid.append(Segment(kind, index, at, at + num_frames))
                at += num_frames
    return laid


def moments(video: VideoPlan) -> list[Moment]:
    """Says when each frame of a video is shown.

    Args:
        video: The plan of the video.

    Returns:
        Moments in order, with rising pts. The first frame of a segment is never left out.
    """
    rng = np.random.default_rng([*video.scenes[0].seed, 2])
    ticks_per_frame = 1 / (video.encoding.fps * video.encoding.time_base)
    shown = []
    for which, segment in enumerate(segments(video)):
        for number in range(segment.start, segment.end):
            jitter = 0.0
            if video.encoding.variable_fps and number > segment.start:
                if rng.random() < _DROP_SHARE:
                    continue
                jitter = rng.uniform(-_JITTER, _JITTER)
            shown.append(Moment(number, round((number + jitter) * float(ticks_per_frame)), which))
    return shown


def pictures(video: VideoPlan, scenes: list[Scene]) -> Iterator[tuple[int, np.ndarray]]:
    """Renders the frames of a video.

    Args:
        video: The plan of the video.
        scenes: What the seeds of its scenes draw, in their order.

    Yields:
        pts in ticks of the encoder's time base, and uint8 (H, W, 3) RGB; H and W follow the video's `scales`.
    """
    laid = segments(video)
    begins = {segment.scene_index: segment.start for segment in laid if segment.kind == "scene"}
    fps, time_base = video.encoding.fps, video.encoding.time_base

    def shot(index: int, pts: int) -> np.ndarray:
        t_s = float(pts * time_base - begins[index] / fps) + _LEAD_S
        return _shoot(video.scenes[index], scenes[index], t_s)

    for moment in moments(video):
        segment = laid[moment.segment]
        image = shot(segment.scene_index, moment.pts)
        if segment.kind != "scene":
            progress = (moment.number - segment.start + 1) / (segment.end - segment.start + 1)
            image = _mix(segment.kind, shot(segment.scene_index - 1, moment.pts), image, progress)
        yield moment.pts, _scaled(image, video.scales[segment.scene_index % len(video.scales)])


def _shoot(plan: ScenePlan, scene: Scene, t_s: float) -> np.ndarray:
    image = scene.frame(shown_instant(plan.fault, t_s))
    return spoil(plan.fault, image, t_s, seed=plan.seed[-1] + plan.seed[-2])


def _mix(kind: str, before: np.ndarray, after: np.ndarray, progress: float) -> np.ndarray:
    if kind == "dissolve":
        return cv2.addWeighted(before, 1 - progress, after, progress, 0)
    if progress < 0.5:
        return cv2.convertScaleAbs(before, alpha=1 - 2 * progress)
    return cv2.convertScaleAbs(after, alpha=2 * progress - 1)


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1.0:
        return image
    height, width = (round(length * scale / 2) * 2 for length in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
