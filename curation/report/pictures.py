"""Small pictures of clips, out of their proxy frames, as they stand in a page."""

import base64
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from curation.proxies import ProxyReader
from curation.tables import Corpus

BOX_PX = (208, 156)
"""A picture fits into it; pages show it at half of that on fine screens."""
QUALITY = 55
MAX_BYTES = 8 * 2**20
"""Of all pictures of a page, encoded, each as often as it is shown."""


@dataclass(frozen=True, order=True)
class Shot:
    """A half-open span of a video, of which the frame in the middle is to be seen."""

    part: str
    video_id: str
    start_pts: int
    end_pts: int


def pictures(corpus: Corpus, shots: Iterable[Shot], most: int = MAX_BYTES) -> dict[Shot, str]:
    """Each shot's picture as a `data:` address; none of those that have no proxy frame that can be read.

    Parts are read one by one, each once, shots in their order: a picture that no longer fits is left out, a smaller one
    behind it may still come in. So equal shots, frames and room give equal pictures.

    Args:
        corpus: has the proxy frames.
        shots: each as often as the page shows it, for its picture stands there each time.
        most: bytes for all of them, beside MAX_BYTES.
    """
    times, room = Counter(shots), min(most, MAX_BYTES)
    by_part: dict[str, list[Shot]] = {}
    for shot in sorted(times):
        by_part.setdefault(shot.part, []).append(shot)
    found, spent = {}, 0
    for part, wanted in by_part.items():
        for shot, webp in _of_part(corpus, part, wanted).items():
            address = "data:image/webp;base64," + base64.b64encode(webp).decode()
            cost = len(address) * times[shot]
            if spent + cost <= room:
                found[shot], spent = address, spent + cost
    return found


def _of_part(corpus: Corpus, part: str, shots: list[Shot]) -> dict[Shot, bytes]:
    try:
        reader = ProxyReader(corpus.path("proxies", part))
    except ValueError:  # no such file, or a damaged one: the page does without
        return {}
    found = {}
    for shot in shots:
        try:
            frames = reader.frames(shot.video_id, shot.start_pts, shot.end_pts)
            if len(frames):
                found[shot] = _webp(frames[len(frames) // 2][1])
        except ValueError:
            continue
    reader.close()
    return found


def _webp(frame: np.ndarray) -> bytes:
    """The frame, uint8 (H, W, 3) RGB, small."""
    picture = Image.fromarray(frame)
    picture.thumbnail(BOX_PX)
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()
