"""Videos as a person looks at them: mp4, an animated GIF, a contact sheet."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from shards.encode import EncodeSettings, encode_frames
from shards.store import atomic_path

TILE_HEIGHT_PX = 128  # at least; small frames are enlarged by a whole factor
MAX_COLUMNS = 4
MARGIN_PX, CAPTION_PX = 4, 20


def write_mp4(path: Path, frames: np.ndarray, fps: float) -> None:
    """Writes frames uint8 (T, H, W, 3) RGB as H.264; T = 1 makes a video of one frame."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_frames(frames, fps, EncodeSettings(crf=12)))


def gif(frames: np.ndarray, fps: float) -> bytes:
    """Frames uint8 (T, H, W, 3) RGB as an animated GIF that repeats."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0)
    return file.getvalue()


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
