"""What a video would have shown before its first and after its last frame, had its light gone on as it went.

A file cut out of a film may start or end amid a fade. Where frames merely repeat, nothing seems to happen there, and
half a fade is taken for a scene. Only light is carried on, since motion carried on would look like a dissolve.
"""

import numpy as np

NOISE = 1.0  # levels; contrast below means nothing
MOST_CONTRAST = 1.5  # times that of the first frame; a fade-out that has begun comes from more


def prolonged(thumbnails: np.ndarray, count: int) -> np.ndarray:
    """Frames with `count` more on each side, whose mean colour and contrast go on in a straight line.

    A picture that keeps its light is repeated. So it is where it fades with neither, as half a dissolve does.

    Args:
        thumbnails: uint8 (num_frames, H, W, 3), one or more.
        count: frames to add before and after.

    Returns:
        uint8 (num_frames + 2 * count, H, W, 3).
    """
    inner = np.minimum(np.arange(1, count + 1), len(thumbnails) - 1)
    before = _beyond(thumbnails[0], thumbnails[inner])[::-1]
    after = _beyond(thumbnails[-1], thumbnails[len(thumbnails) - 1 - inner])
    return np.concatenate([before, thumbnails, after])


def _beyond(outermost: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The frames that lie as far outside as `inner` lie inside, nearest first."""
    picture, others = outermost.astype(np.float32), inner.astype(np.float32)
    mean, contrast = picture.mean(axis=(0, 1)), picture.std() + NOISE
    shares = np.clip(2 - (others.std(axis=(1, 2, 3)) + NOISE) / contrast, 0, MOST_CONTRAST)
    means = 2 * mean - others.mean(axis=(1, 2))
    beyond = (picture - mean) * shares[:, None, None, None] + means[:, None, None]
    return np.clip(np.rint(beyond), 0, 255).astype(np.uint8)
