"""Which of its captions a sample is shown with: any alike, or by weights of their sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np


def texts_of(row: Mapping) -> list[str]:
    """The captions of a sample that are no blanks, in their order.

    Args:
        row: of `shards.schema.INDEX`.
    """
    return [caption["text"] for caption in _captions(row)]


@dataclass(frozen=True)
class CaptionDraw:
    """Draws captions by source (SVD, appendix D: CoCa 0.5, V-BLIP 0.25, a language model 0.25).

    Raises:
        ValueError: a weight is not above 0.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    """By source, "" for captions that tell none; they need not add up to 1, and count over the sources that a sample
    has. Several captions of a source share its weight. Sources that are not named are not drawn. Without weights each
    caption is drawn alike."""

    def __post_init__(self) -> None:
        for source, weight in self.weights.items():
            if not (weight > 0 and isfinite(weight)):
                raise ValueError(f"data.caption_weights.{source} is above 0, not {weight}: leave out what is not drawn")

    def number(self, row: Mapping, of_caption: float) -> int:
        """The number of the caption drawn, among `texts_of`; -1 where none can be.

        Args:
            row: of `shards.schema.INDEX`.
            of_caption: 0 <= number < 1 that chooses.
        """
        captions = _captions(row)
        if not self.weights:
            return int(of_caption * len(captions)) if captions else -1
        ends = np.cumsum(self._shares([caption["source"] or "" for caption in captions]))
        if not len(ends) or not ends[-1]:
            return -1
        return int(np.searchsorted(ends, of_caption * ends[-1], side="right"))

    def _shares(self, sources: Sequence[str]) -> list[float]:
        return [self.weights.get(source, 0.0) / sources.count(source) for source in sources]


def _captions(row: Mapping) -> list[dict]:
    return [caption for caption in row["captions"] or [] if (caption["text"] or "").strip()]
