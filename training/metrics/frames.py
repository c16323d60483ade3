"""Frames as networks take them."""

from torch import Tensor
from torch.nn.functional import interpolate

from training.metrics.metric import Videos


def first_frames(videos: Videos, number: int) -> Tensor:
    """The first frames of each video, channels first.

    Returns:
        float32 (B, 3, number, H, W), 0..255.

    Raises:
        ValueError: the videos are shorter.
    """
    if videos.frames.shape[1] < number:
        raise ValueError(f"videos have {videos.frames.shape[1]} frames, and it takes {number}")
    return videos.frames[:, :number].permute(0, 4, 1, 2, 3).float()


def resized(videos: Tensor, height: int, width: int, antialias: bool) -> Tensor:
    """Videos resized frame by frame, bilinear, pixel centres kept: float32 (B, 3, T, H, W) to (B, 3, T, h, w)."""
    if videos.shape[3:] == (height, width):
        return videos
    frames = videos.transpose(1, 2).flatten(0, 1)  # (B*T, 3, H, W)
    small = interpolate(frames, (height, width), mode="bilinear", align_corners=False, antialias=antialias)
    return small.unflatten(0, (len(videos), -1)).transpose(1, 2)


def in_parts(videos: Videos, size: int) -> list[Videos]:
    """The same videos, at most `size` at once."""
    starts = range(0, len(videos.frames), size)
    return [Videos(videos.frames[at : at + size], videos.captions[at : at + size], videos.fps) for at in starts]
