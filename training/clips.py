"""Examples from packed clips: which frames of a clip a model sees.

What fits is decided in `sample_plan.py`, frames are decoded in `decode.py`; of a latent set `latents.py` reads the same
windows.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from shards.reader import ShardSet
from shards.sample import Sample
from training.bucket import Bucket
from training.caption_draw import CaptionDraw, texts_of
from training.conditioning import Conditioning
from training.decode import shown
from training.rates import Rates
from training.sample_plan import Needs, plan_samples
from training.sources import Example, Source, uniforms

ANY_CAPTION = CaptionDraw()


class ClipSource(Source):
    """The clips and pictures of a shard set, each seen through a window of its bucket's frames."""

    def __init__(
        self,
        shards: ShardSet,
        buckets: Sequence[Bucket],
        rates: Rates,
        conditioning: Conditioning,
        captions: CaptionDraw = ANY_CAPTION,
        name: str = "",
        kept: pa.Array | None = None,
    ) -> None:
        """Plans; reads no sample.

        Args:
            shards: the set.
            buckets: frames and size of an example; a sample is always seen in the same one.
            rates: to take frames at; each time one of those that fit the clip is drawn.
            conditioning: its scores are needed, but for pictures, whose numbers are all 0; a caption if it says so.
            captions: which of its captions a sample is shown with.
            name: of the set in messages; its folder by default.
            kept: keys of the samples that count; all by default.

        Raises:
            ValueError: no sample has what is conditioned on, or nothing is usable.
        """
        self.name = name or str(shards.folder)
        self._buckets, self._shards, self._conditioning = list(buckets), shards, conditioning
        self._rates, self._captions = rates, captions
        told = str(conditioning.captions), tuple(captions.weights)
        needs = Needs(*told, conditioning.scores, conditioning.motion_bucket, kept)
        self.plan = plan_samples(shards.index, buckets, rates, needs, self.name)

    @property
    def stretches(self) -> np.ndarray:
        """(S,) usable samples of each shard."""
        ends = np.cumsum(self._shards.shard_sizes)
        return np.diff(np.searchsorted(self.plan.usable, ends), prepend=0)

    def key(self, i: int) -> str:
        """Key of usable sample number `i`."""
        return self._shards.index["key"][int(self.plan.usable[i])].as_py()

    def read(self, i: int, rng: np.random.Generator) -> Example:
        """A random window of a clip with one of its captions; takes three numbers from `rng`.

        Raises:
            ValueError: "is not in its shard: ..." or "does not decode: ...".
        """
        number, (of_rate, of_start, of_caption) = int(self.plan.usable[i]), uniforms(rng, 3).tolist()
        try:
            sample = self._shards.read(number)
        except ValueError as error:
            raise ValueError(f"is not in its shard: {error}") from error
        row, bucket = sample.meta, self._buckets[int(self.plan.buckets[i])]
        fps, times = window(bucket, self._rates, row, of_rate, self._start(of_start))
        chosen = self._captions.number(row, of_caption)
        frames, features = self._seen(sample, row, bucket, fps, times, chosen)
        caption = texts_of(row)[chosen] if chosen >= 0 else ""
        given = self._given(number, bucket, times)
        return Example(row["key"], frames, caption, self._micro(bucket, fps, row), features, given)

    def _seen(
        self, sample: Sample, row: dict, bucket: Bucket, fps: float, times: np.ndarray, chosen: int
    ) -> tuple[Tensor, Tensor | None]:
        """The frames shown at these seconds, and the features of a caption by its number (-1: none) if the sample holds
        them."""
        return torch.from_numpy(shown(sample, times, bucket)), None

    def _given(self, number: int, bucket: Bucket, times: np.ndarray) -> Tensor | None:
        """Frames that the stage is given of sample `number`, where those of the example are no pixels."""
        return None

    def _start(self, of_start: float) -> float:
        """Where the window begins, as a share of the room for it: as it was drawn."""
        return of_start

    def _micro(self, bucket: Bucket, fps: float, row: dict) -> tuple[float, ...]:
        if bucket.is_image:
            return (0.0,) * len(self._conditioning.micro)
        scores, motion_bucket = dict(row["scores"] or []), row["motion_bucket"]
        return tuple(micro.of_clip(fps, scores, motion_bucket) for micro in self._conditioning.micro)


def window(bucket: Bucket, rates: Rates, row: dict, of_rate: float, of_start: float) -> tuple[float, np.ndarray]:
    """Which frames of a clip are seen.

    Args:
        bucket: how many.
        rates: at least one fits the clip.
        row: `num_frames` and `fps` of the clip; fps null of a picture.
        of_rate: 0 <= number < 1 that chooses among the rates that fit.
        of_start: 0 <= number < 1 that chooses the start among all that leave room.

    Returns:
        Frames a second, 0 for a picture; the seconds (T,) from the clip's first frame on at which frames are wanted.
    """
    if bucket.is_image:
        lasts_s = row["num_frames"] / row["fps"] if row["fps"] else 0.0
        return 0.0, np.array([of_start * lasts_s])
    fitting = rates.fitting(bucket.num_frames, row)
    fps = float(fitting[int(of_rate * len(fitting))])
    return fps, rates.times(bucket.num_frames, fps, row, of_start)
