"""What changes around each frame, measured on thumbnails: cheap numbers from which cuts and transitions can be told.

The numbers of a frame depend on REACH frames to either side; before the first and after the last see `prolonged`.
"""

import numpy as np

REACH = 16
"""Frames on each side that the numbers of a frame depend on."""
GRID = (9, 16)
"""Rows and columns to which a thumbnail is averaged, so that small motion hardly counts."""
LAGS = (1, 2, 4, 8, 16, 32)
CLOSE_LAGS = (1, 4, 16)
MIX_REACH = (3, 6, 12)
BINS = 64
NAMES = (
    *(f"distance_{lag}" for lag in LAGS),
    *(f"histogram_{lag}" for lag in CLOSE_LAGS),
    *(f"unlikeness_{lag}" for lag in CLOSE_LAGS),
    *(f"moved_{lag}" for lag in CLOSE_LAGS),
    *(f"unmixed_{reach}" for reach in MIX_REACH),
    "sharp_distance_1",
    "luma",
    "contrast",
    "spread",
    "colour",
)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
SMALLEST = 0.004  # one of 256 levels: what is below is noise, and its logarithm means nothing


def features(thumbnails: np.ndarray) -> np.ndarray:
    """Numbers for every frame but the first and last REACH, in the order of NAMES.

    `distance`, `histogram`, `unlikeness` and `moved` compare the frames at the same distance before and after the
    instant at which frame t begins: by colour, by colour whatever the place, by pattern whatever brightness and
    contrast, and by colour with each cell free to come from a neighbouring one. `unmixed` is what remains of a frame
    after the mean of the two around it: little in a dissolve. The rest describes the frame alone.

    Args:
        thumbnails: uint8 (num_frames + 2 * REACH, 27, 48, 3) RGB.

    Returns:
        float32 (num_frames, len(NAMES)): natural logarithms, but for `unlikeness` in 0..1 and `luma` in 0..1.
    """
    cells = coarse(thumbnails)
    grey = (cells * LUMA[:, None, None]).sum(axis=1).reshape(len(cells), -1)
    histograms = colour_histograms(thumbnails)
    columns = [_log(_across(cells, lag, _distance)) for lag in LAGS]
    columns += [_log(_across(histograms, lag, _distance)) for lag in CLOSE_LAGS]
    columns += [_across(grey, lag, _unlikeness) for lag in CLOSE_LAGS]
    columns += [_log(_across(cells, lag, _moved_distance)) for lag in CLOSE_LAGS]
    columns += [_log(_unmixed(cells, reach)) for reach in MIX_REACH]
    columns += [_log(_sharp_distance(thumbnails)), *(values[REACH:-REACH] for values in _appearance(cells, grey))]
    return np.stack(columns, axis=1).astype(np.float32)


def coarse(thumbnails: np.ndarray) -> np.ndarray:
    """Averages uint8 (N, 27, 48, 3) over 3x3 pixels: float32 (N, 3, 9, 16) in 0..1, channels first."""
    lines = thumbnails.reshape(len(thumbnails), GRID[0], 3, -1)
    rows = lines[:, :, 0].astype(np.uint16) + lines[:, :, 1] + lines[:, :, 2]
    columns = rows.reshape(len(thumbnails), *GRID, 3, 3)
    cells = columns[..., 0, :] + columns[..., 1, :] + columns[..., 2, :]
    return np.ascontiguousarray(cells.transpose(0, 3, 1, 2)) * np.float32(1 / (9 * 255))


def colour_histograms(thumbnails: np.ndarray) -> np.ndarray:
    """Share of pixels in each of 64 boxes of colour: float32 (N, 64)."""
    high = thumbnails >> 6
    boxes = (high[..., 0] << 4) | (high[..., 1] << 2) | high[..., 2]
    frame = np.arange(len(thumbnails))[:, None] * BINS
    counts = np.bincount((boxes.reshape(len(thumbnails), -1) + frame).ravel(), minlength=BINS * len(thumbnails))
    return counts.reshape(-1, BINS).astype(np.float32) / boxes[0].size


def _log(values: np.ndarray) -> np.ndarray:
    return np.log(values + SMALLEST)


def _across(values: np.ndarray, lag: int, compare) -> np.ndarray:
    """Compares each pair of frames `lag` apart; the middle of the pair is where frame t begins (or before, if even)."""
    before = REACH - (lag + 1) // 2
    num_frames = len(values) - 2 * REACH
    return compare(values[before : before + num_frames], values[before + lag : before + lag + num_frames])


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a - b).reshape(len(a), -1).mean(axis=1)


def _unlikeness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 - correlation, halved; about 0.5 where there is no pattern to compare."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    variances = (a * a).mean(axis=1) * (b * b).mean(axis=1)
    return 0.5 - 0.5 * (a * b).mean(axis=1) / np.sqrt(variances + SMALLEST**4)


def _moved_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of each cell to the most alike of the nine around its place."""
    inside = b[..., 1:-1, 1:-1]
    nearest = np.full((len(a), *inside.shape[-2:]), np.inf, np.float32)
    for y, x in np.ndindex(3, 3):
        apart = np.abs(a[..., y : y + GRID[0] - 2, x : x + GRID[1] - 2] - inside)
        nearest = np.minimum(nearest, apart[:, 0] + apart[:, 1] + apart[:, 2])
    return nearest.reshape(len(a), -1).mean(axis=1) / 3


def _unmixed(cells: np.ndarray, reach: int) -> np.ndarray:
    ends = len(cells) - REACH
    mixed = (cells[REACH - reach : ends - reach] + cells[REACH + reach : ends + reach]) / 2
    return _distance(cells[REACH:ends], mixed)


def _sharp_distance(thumbnails: np.ndarray) -> np.ndarray:
    a, b = thumbnails[REACH - 1 : -REACH - 1], thumbnails[REACH:-REACH]
    apart = np.maximum(a, b) - np.minimum(a, b)
    return apart.reshape(len(a), -1).sum(axis=1, dtype=np.uint32) / (255 * apart[0].size)


def _appearance(cells: np.ndarray, grey: np.ndarray) -> list[np.ndarray]:
    """Luma, contrast, spread without the extremes (a logo is one), colourfulness; each (N,)."""
    low, high = np.partition(grey, (14, 129), axis=1)[:, [14, 129]].T
    colour = _distance(cells.max(axis=1), cells.min(axis=1))
    return [grey.mean(axis=1), _log(grey.std(axis=1)), _log(high - low), _log(colour)]
