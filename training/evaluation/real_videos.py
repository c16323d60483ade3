"""The real videos that an evaluation compares with: held-out samples, always the same ones through the same window."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from torch import Tensor

from training.conditioning import Conditioning
from training.data import VAL, StageData
from training.packed import check_packed
from training.stream import Stream


class RealVideo(NamedTuple):
    """A held-out sample as the stage would see it."""

    number: int
    """Among the videos of the evaluation."""
    key: str
    caption: str
    frames: Tensor
    """uint8 (T, H, W, 3), whatever the stage trains on."""


class RealVideos:
    """The first held-out samples that the sampling bucket shows, in their order; which they are is known unread.

    Args:
        data: of the stage; it need not be open.
        conditioning: of the stage; samples without what it needs are left out.
        number: at most so many.

    Raises:
        ValueError: no sample is held out that fits.
    """

    def __init__(self, data: StageData, conditioning: Conditioning, number: int) -> None:
        folder = check_packed(data.shards, data.set)
        try:
            source = data.source(folder, VAL, {}, conditioning)
        except ValueError as error:
            raise ValueError(_nothing(data, str(error))) from error
        self._data, self._stream = data, Stream([source], [1] * len(data.buckets), data.seed)
        self._places = np.flatnonzero(source.plan.buckets == 0)[:number].tolist()
        if not self._places:
            raise ValueError(_nothing(data, f"none has the size and length of {data.bucket}"))

    def __len__(self) -> int:
        """How many there are, those that cannot be read among them."""
        return len(self._places)

    def read(self, numbers: Iterable[int]) -> Iterator[RealVideo]:
        """Reads some, by their numbers; those that cannot be read are left out."""
        for number in numbers:
            try:
                example = self._stream.item(self._places[number]).example
            except ValueError:
                continue
            yield RealVideo(number, example.key, example.caption, example.frames)


def _nothing(data: StageData, reason: str) -> str:
    return (
        f"{data.folder} holds out no sample to compare with ({reason}): pack more with a larger pack.val_share, or "
        "name another --data.set"
    )
