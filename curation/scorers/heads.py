"""A head over stored embeddings: an aesthetic, NSFW or watermark score from a small published network; no frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from curation.frame_embeddings import OfFrames, of_frames
from curation.head_file import cached, fetch, read_head
from curation.scorer import Misfit, Resources, Score, Scorer
from shards.places import is_address
from shards.schema import field


@dataclass(frozen=True)
class Head(Scorer):
    """Linear or MLP head over unit embeddings; one value a frame, of which the clip gets the mean, or the largest.

    The numbers mean nothing over embeddings of another model than the one that the head was trained on. A width that
    differs is refused; a model of the same width cannot be told apart.
    """

    file: str
    """File of the head, or its address (`https://...`): by torch or safetensors, e.g. LAION's aesthetic predictors."""
    column: str
    """Name of the column that it writes."""
    embeddings: str = "clip_frame_embeddings"
    """Column of embeddings that it reads."""
    relu: bool = False
    """ReLU between the layers; LAION's aesthetic predictor V2 has none."""
    output: Literal["as_is", "sigmoid"] = "as_is"
    """What becomes of the last layer's number; `sigmoid` gives a probability."""
    index: int = 0
    """Which of the numbers that the head gives."""
    of_frames: OfFrames = "mean"
    """What of the frames' values: a fault in one frame of a clip is found by `max`."""
    resources: Resources = Resources()
    """What a worker takes from the cluster."""

    reads_frames = False

    @property
    def reads(self) -> Sequence[str]:
        """The embeddings."""
        return (self.embeddings,)

    @property
    def writes(self) -> pa.Schema:
        """One column."""
        unit = "0..1" if self.output == "sigmoid" else ""
        doc = f"{self.of_frames} over frames of a head over `{self.embeddings}`"
        return pa.schema([field(self.column, pa.float32(), doc, unit)])

    def prepare(self) -> None:
        """Sees that the file can be had and is a head; downloads it into the user's cache.

        Raises:
            ValueError: it cannot, or it is none; names it.
        """
        self._read()

    def weights(self) -> Mapping[str, Path | None]:
        """The copy of a file at an address; one on disk is named by its field."""
        copy = cached(self.file)
        return {"weights": copy if copy.exists() else None} if is_address(self.file) else {}

    def _read(self):
        path = fetch(self.file)
        head = read_head(path)
        if self.index >= len(head.layers[-1][1]):
            raise ValueError(f"index: {self.index}: {self.file} gives {len(head.layers[-1][1])} numbers, from 0 on")
        return head

    def build(self) -> Score:
        """Loads the head."""
        head = self._read()

        def score(table: pa.Table, frames: Sequence) -> dict[str, Sequence]:
            return of_frames(table, self.embeddings, [self.column], values, self.of_frames)

        def values(embeddings: np.ndarray) -> np.ndarray:
            if embeddings.shape[1] != head.width:
                raise Misfit(
                    f"the head {self.file} takes embeddings of {head.width} numbers, `{self.embeddings}` has "
                    f"{embeddings.shape[1]}: they are of another model than it was trained on"
                )
            number = head(embeddings, self.relu)[:, [self.index]]
            return 1 / (1 + np.exp(-number)) if self.output == "sigmoid" else number

        return score
