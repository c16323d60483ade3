"""How much of a clip lies under text, and how much of that is burnt in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curation.scorer import Frames, Resources, Score, Scorer
from shards.schema import field

if TYPE_CHECKING:
    from curation.text_detector import TextDetector

PLACES = ("first", "middle", "last")
ROWS = tuple(f"text_area_{place}" for place in PLACES)


@dataclass(frozen=True)
class TextArea(Scorer):
    """Finds text in the first, middle and last proxy frame.

    Text whose edges are the same in two of the three is static: burnt-in text, logos with letters, watermarks. Text
    of the scene is static too where neither camera nor scene moves.
    """

    short_side_px: int = 352
    """Short side at which text is looked for, a multiple of 32; letters need about 8 pixels."""
    threads: int = 1
    """CPU threads, fixed because they may change the last digits."""
    resources: Resources = Resources()
    """What a worker takes from the cluster."""

    def __post_init__(self) -> None:
        if self.short_side_px < 32 or self.short_side_px % 32 or self.threads < 1:
            raise ValueError(f"text_area: short_side_px {self.short_side_px} must be a multiple of 32, threads >= 1")

    @property
    def writes(self) -> pa.Schema:
        """Shares of the frame."""
        share, under = "0..1", "share of the frame under text"
        return pa.schema(
            [
                field("text_area", pa.float32(), f"{under}, mean over first, middle and last frame", share),
                *(field(f"text_area_{place}", pa.float32(), f"{under}, {place} frame", share) for place in PLACES),
                field(
                    "static_text_area",
                    pa.float32(),
                    f"{under} that is the same and in place in two of the three frames: burnt in",
                    share,
                ),
                field(
                    "scene_text_area", pa.float32(), f"{under} that is not static, mean over the three frames", share
                ),
            ]
        )

    def prepare(self) -> None:
        """Sees that the weights are there.

        Raises:
            ValueError: they are not.
        """
        self.weights()

    def weights(self) -> Mapping[str, Path | None]:
        """The detector's."""
        from curation.text_detector import weights_path

        return {"text_detector": weights_path()}

    def build(self) -> Score:
        """Loads the detector."""
        import cv2

        from curation.text_detector import TextDetector

        cv2.setNumThreads(1)
        detector = TextDetector(self.threads)

        def score(table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
            rows = [self._row(clip, detector) for clip in frames]
            return {name: [row.get(name) for row in rows] for name in (*self.writes.names, "error")}

        return score

    def _row(self, frames: Frames, detector: "TextDetector") -> dict:
        """Columns of one clip."""
        from curation.static_text import Look, static_and_scene
        from curation.text_detector import network_size

        if not len(frames):
            return {"error": "no proxy frame"}
        places = [0, len(frames) // 2, len(frames) - 1]
        height, width = frames[0][1].shape[:2]
        size = network_size(width, height, self.short_side_px)
        looks = {place: Look(frames[place][1], size, detector) for place in sorted(set(places))}
        areas = [looks[place].area for place in places]
        row = dict(zip(ROWS, areas, strict=True)) | {"text_area": float(np.mean(areas))}
        if len(looks) == 1:
            return row | {"error": "one proxy frame: no telling what stays in place"}
        static, scene = static_and_scene(list(looks.values()))
        return row | {"static_text_area": static, "scene_text_area": scene}
