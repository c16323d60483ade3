"""Finds black bars: the picture ends at a straight line, and outside lies nothing but black, noise and subtitles."""

from typing import NamedTuple

import numpy as np

MIN_BAR = 0.01  # of a side; less is a line lost in scaling
MAX_BAR = 0.4  # of a side; an upright 9:16 picture within 16:9 has 0.34
MAX_BLACK = 40.0  # luma of bars, at most; digital bars have 0, those of tapes up to 30
MIN_STEP = 4.0  # luma by which a picture rises above its bars, at least
MIN_STRAIGHT = 0.3  # share of a bar's edge along which the picture begins
MIN_STRAIGHT_ACROSS = 0.1  # the same for the second of two equal bars, which subtitles may cross
MIN_STRAIGHT_ALONE = 0.6  # the same for a bar without one of equal size across
STEEP = 0.3  # the last line of a bar holds at most so much of the luma that the picture begins with
MAX_DRAWN = 0.25  # share of a bar that subtitles may cover
MAX_DRAWN_ACROSS = 0.6  # the same for the second of two equal bars
FLAT_SPREAD = 6.0  # spread of luma in a bar, at most; a dark scene has more, or no straight end
EVEN = 0.01  # bars across from each other differ by so much of the side, at most


class CropBox(NamedTuple):
    """The picture inside its bars, in shares of width and height from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Share of the frame that the picture fills."""
        return (self.right - self.left) * (self.bottom - self.top)

    def crop(self, frames: np.ndarray) -> np.ndarray:
        """The picture's part of frames (T, H, W)."""
        height, width = frames.shape[1:]
        rows = slice(round(self.top * height), max(round(self.bottom * height), 1))
        return frames[:, rows, round(self.left * width) : max(round(self.right * width), 1)]


def find_crop_box(frames: np.ndarray) -> CropBox:
    """The crop box of a clip.

    Luma is averaged over the frames, which leaves little of noise and of subtitles that change. A bar is a run of black
    lines from the frame's border up to a line along which the picture begins, at once and for much of its length.

    Args:
        frames: luma of one clip, uint8 (T, H, W).

    Returns:
        (0, 0, 1, 1) where there are no bars.
    """
    mean = frames.mean(axis=0, dtype=np.float32)
    top, bottom = _pair_of_bars(mean)
    height = len(mean)
    left, right = _pair_of_bars(mean[top : height - bottom].T)
    width = mean.shape[1]
    return CropBox(left / width, top / height, 1 - right / width, 1 - bottom / height)


def _pair_of_bars(mean: np.ndarray) -> tuple[int, int]:
    """Lines of the bars before and after the picture; 0 where there is none."""
    sides = _Side(mean), _Side(mean[::-1])
    for one, other in (sides, sides[::-1]):
        lines = one.lines(MIN_STRAIGHT)
        across = other.lines_near(lines, len(mean)) if lines else 0
        if across:
            return (lines, across) if one is sides[0] else (across, lines)
    first, second = (side.lines(MIN_STRAIGHT_ALONE) for side in sides)
    return first, second


class _Side:
    """The lines from one border of the averaged picture inward."""

    def __init__(self, mean: np.ndarray) -> None:
        """Args: mean: float32 (H, W), its first line at the border."""
        border = mean[: max(1, len(mean) // 100)]
        black = float(np.median(border))
        self._is_dark = black <= MAX_BLACK
        self._step = max(MIN_STEP, 6 * float(np.median(np.abs(border - black))))
        self._least = MIN_BAR * len(mean)
        self._above = np.maximum(mean[: round(MAX_BAR * len(mean)) + 1] - black, 0)
        outside, inside = self._above[:-1], self._above[1:]
        rises = (inside > self._step) & (outside < STEEP * inside)
        self._straight = rises.mean(axis=1)
        """For each line, along what share of it the picture begins with the next."""

    def lines(self, straight: float) -> int:
        """Lines of the bar whose edge is straightest; 0 if none is as straight as asked."""
        best_first = np.argsort(-self._straight, kind="stable") if self._is_dark else []
        for line in best_first:
            if self._straight[line] < straight:
                break
            if line + 1 >= self._least and self._is_bar(line + 1, MAX_DRAWN):
                return int(line) + 1
        return 0

    def lines_near(self, lines: int, height: int) -> int:
        """Lines of a bar of about so many, which may hold more subtitles and end less clearly; else 0."""
        play = max(1, round(EVEN * height))
        near = self._straight[max(0, lines - 1 - play) : lines + play]
        if not self._is_dark or not near.size or near.max() < MIN_STRAIGHT_ACROSS:
            return 0
        found = max(0, lines - 1 - play) + int(near.argmax()) + 1
        return found if self._is_bar(found, MAX_DRAWN_ACROSS) else 0

    def _is_bar(self, lines: int, max_drawn: float) -> bool:
        """Whether the first lines hold nothing but black and subtitles."""
        outside = self._above[:lines]
        drawn = outside > self._step
        blacks = outside[~drawn]
        return bool(drawn.mean() <= max_drawn and blacks.size and blacks.std() <= FLAT_SPREAD)
