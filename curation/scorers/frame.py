"""Faults of the picture itself: bars, exposure, stillness, slideshows, flicker, a cut that was missed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.scorer import Frames, Score, Scorer
from shards.schema import field

CROP = ("crop_left", "crop_top", "crop_right", "crop_bottom")
MOST_LOOKED_AT = 32  # pictures of a clip, evenly spread, that tell its bars and exposure
STEPS = ("frozen_share", "slideshow", "flicker", "residual_cut")


@dataclass(frozen=True)
class Frame(Scorer):
    """What proxy frames tell without a model; sharpness, blockiness and black frames are in `clips` already."""

    dark_level: int = 16
    """Luma up to which a pixel counts as under-exposed."""
    bright_level: int = 245
    """Luma from which a pixel counts as over-exposed."""

    reads = ("num_frames", "frame_difference")

    @property
    def writes(self) -> pa.Schema:
        """The crop box, shares of the picture inside it, and what the steps between frames tell."""
        share, inside = "0..1", "share of pixels inside the crop box, mean over proxy frames, with luma"
        return pa.schema(
            [
                field("crop_left", pa.float32(), "left end of the picture inside black bars; 0 without", "of width"),
                field("crop_top", pa.float32(), "upper end of the picture inside black bars; 0 without", "of height"),
                field("crop_right", pa.float32(), "right end of the picture inside black bars; 1 without", "of width"),
                field(
                    "crop_bottom", pa.float32(), "lower end of the picture inside black bars; 1 without", "of height"
                ),
                field("bar_share", pa.float32(), "share of the frame under black bars", share),
                field("under_exposed_share", pa.float32(), f"{inside} {self.dark_level} or less", share),
                field("over_exposed_share", pa.float32(), f"{inside} {self.bright_level} or more", share),
                field(
                    "frozen_share", pa.float32(), "share of steps between proxy frames in which nothing moved", share
                ),
                field(
                    "slideshow",
                    pa.float32(),
                    "share of all change that comes at once where half of the steps are still; less where fewer are",
                    share,
                ),
                field(
                    "flicker",
                    pa.float32(),
                    "mean change from step to step of the logarithm of brightness; a steady fade has none",
                ),
                field(
                    "residual_cut",
                    pa.float32(),
                    "how far the step between proxy frames that looks most like a cut stands out from the median one",
                    share,
                ),
            ]
        )

    def build(self) -> Score:
        """A scorer on one core: the worker is the unit of parallelism."""
        import cv2

        cv2.setNumThreads(1)

        def score(table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
            rows = [self._row(clip, known) for clip, known in zip(frames, table.to_pylist(), strict=True)]
            return {name: [row.get(name) for row in rows] for name in (*self.writes.names, "error")}

        return score

    def _row(self, frames: Frames, known: dict) -> dict:
        """Columns of one clip; `known` holds those it `reads`."""
        pictures = _of_one_size([picture for _, picture in frames])
        if not pictures:
            return {"error": "no proxy frame"}
        row = self._of_pictures(pictures)
        if len(pictures) == 1:
            return row | {"error": f"one proxy frame: no {', '.join(STEPS)}"}
        if known["frame_difference"] is None:
            return row | _of_steps(pictures, None) | {"error": "no frame_difference: no slideshow"}
        return row | _of_steps(pictures, known["frame_difference"] * (known["num_frames"] - 1))

    def _of_pictures(self, pictures: list[np.ndarray]) -> dict[str, float]:
        import cv2

        from curation.crop_box import find_crop_box

        some = pictures[:: -(-len(pictures) // MOST_LOOKED_AT)]
        luma = np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in some])
        box = find_crop_box(luma)
        inside = box.crop(luma)
        shares = {
            "bar_share": 1 - box.area,
            "under_exposed_share": float((inside <= self.dark_level).mean()),
            "over_exposed_share": float((inside >= self.bright_level).mean()),
        }
        return dict(zip(CROP, box, strict=True)) | shares


def _of_steps(pictures: list[np.ndarray], path: float | None) -> dict[str, float | None]:
    """`path` as in `slideshow`, which is null without it."""
    from curation.frame_steps import flicker, frozen_share, residual_cut, slideshow, steps_of

    steps = steps_of(pictures)
    slides = None if path is None else slideshow(steps, path)
    return dict(zip(STEPS, (frozen_share(steps), slides, flicker(steps), residual_cut(steps)), strict=True))


def _of_one_size(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """All at the size of the first; a clip's frames differ only where the video changes size without a cut."""
    import cv2

    height, width = pictures[0].shape[:2] if pictures else (0, 0)
    return [p if p.shape[:2] == (height, width) else cv2.resize(p, (width, height)) for p in pictures]
