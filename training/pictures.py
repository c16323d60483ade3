"""Videos as a person looks at them: mp4, an animated GIF, a contact sheet."""

import io
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from shards.encode import EncodeSettings, encode_frames
from shards.store import atomic_path
from shards.video import open_video

TILE_HEIGHT_PX = 128  # at least; small frames are enlarged by a whole factor
MAX_COLUMNS = 4
MARGIN_PX, CAPTION_PX = 4, 20
MAX_OVERVIEW = 100  # videos
CRF = 12
"""Of H.264: hardly any loss."""


def write_mp4(path: Path, frames: np.ndarray, fps: float) -> None:
    """Writes frames uint8 (T, H, W, 3) RGB as H.264; T = 1 makes a video of one frame."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_frames(frames, fps, EncodeSettings(crf=CRF)))


def read_mp4(path: Path) -> np.ndarray:
    """All frames of a video, uint8 (T, H, W, 3) RGB."""
    with open_video(str(path)) as video:
        return np.stack([frame.rgb(*frame.size) for frame in video.frames()])


def gif(frames: np.ndarray, fps: float) -> bytes:
    """Frames uint8 (T, H, W, 3) RGB as an animated GIF that repeats."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0)
    return file.getvalue()


def write_gif(path: Path, frames: np.ndarray, fps: float) -> None:
    """Writes a GIF; arguments as for `gif`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(gif(frames, fps))


def contact_sheet(frames: np.ndarray, caption: str) -> Image.Image:
    """All frames, uint8 (T, H, W, 3) RGB, in reading order under their caption."""
    num_frames, height, width, _ = frames.shape
    factor = max(1, -(-TILE_HEIGHT_PX // height))
    columns = min(MAX_COLUMNS, num_frames)
    across, down = width * factor + MARGIN_PX, height * factor + MARGIN_PX
    rows = -(-num_frames // columns)
    sheet = Image.new("RGB", (columns * across + MARGIN_PX, rows * down + MARGIN_PX + CAPTION_PX), "white")
    ImageDraw.Draw(sheet).text((MARGIN_PX, MARGIN_PX), caption, fill="black")
    for number, frame in enumerate(frames):
        tile = Image.fromarray(frame).resize((width * factor, height * factor), Image.Resampling.NEAREST)
        row, column = divmod(number, columns)
        sheet.paste(tile, (MARGIN_PX + column * across, MARGIN_PX + CAPTION_PX + row * down))
    return sheet


def write_contact_sheet(path: Path, frames: np.ndarray, caption: str) -> None:
    """Writes a contact sheet as PNG; arguments as for `contact_sheet`."""
    with atomic_path(path) as temporary:
        contact_sheet(frames, caption).save(temporary, "PNG")


def overview(videos: Iterable[tuple[str, np.ndarray]]) -> Image.Image:
    """Videos below each other, a row of at most four frames each, from the first to the last, under its caption.

    Args:
        videos: captions and frames, uint8 (T, H, W, 3) RGB; those after the first hundred are left out.
    """
    sheets = [contact_sheet(_few(frames), caption) for caption, frames in islice(videos, MAX_OVERVIEW)]
    whole = Image.new("RGB", (max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets)), "white")
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole


def write_overview(path: Path, videos: Iterable[tuple[str, np.ndarray]]) -> None:
    """Writes an overview as PNG; arguments as for `overview`."""
    with atomic_path(path) as temporary:
        overview(videos).save(temporary, "PNG")


def _few(frames: np.ndarray) -> np.ndarray:
    return frames[np.linspace(0, len(frames) - 1, min(MAX_COLUMNS, len(frames))).round().astype(int)]
