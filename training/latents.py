"""Examples from a latent set: what `clips.py` and the frozen encoders would give for the same draws, read from a file.

The tensors of a sample, one safetensors file, in float16 or bfloat16 where no other type is said:

- `latents`, as the codec gives them, scaled. Of a codec that encodes each frame by itself (N, C, h, w), those of every
  frame of the packed clip, so any window at any rate is exact, and one frame is a picture. Of another (W, T, C, h, w),
  those of W windows that were fixed when they were encoded: a causal codec's latents depend on where a window begins.
- with every frame, float64: `pts` (N + 1,), ticks from the first frame on, the last is the end; `second` (1,), ticks.
- with windows, float64: `fps` (W,), frames a second, and `start_s` (W,), of the first frame.
- `text` (K, L, D): features of each caption that is not blank, in their order.
"""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from shards.reader import ShardSet
from shards.sample import Sample
from training.bucket import Bucket
from training.clips import ClipSource
from training.conditioning import Conditioning
from training.decode import shown, shown_at
from training.rates import Rates


class LatentSource(ClipSource):
    """The clips of a latent set; draws, plan and order are those of `ClipSource`."""

    def __init__(
        self,
        shards: ShardSet,
        buckets: Sequence[Bucket],
        rates: Rates,
        conditioning: Conditioning,
        num_windows: int = 0,
        packed: ShardSet | None = None,
        **more: Any,
    ) -> None:
        """Plans; reads no sample.

        Args:
            shards: the latent set.
            buckets: all of one height and width, those of the latents; with fixed windows only one.
            rates: see `ClipSource`.
            conditioning: see `ClipSource`; where no captions are used, no features are given.
            num_windows: of each clip and rate, where they are fixed; else 0.
            packed: the set that the latents were made of, where frames are given: they are decoded from it, since noise
                is added to their pixels.
            more: see `ClipSource`.

        Raises:
            ValueError: see `ClipSource`; or there are several buckets, and windows are fixed.
        """
        if num_windows and len(buckets) > 1:
            raise ValueError("latents of fixed windows have one number of frames: name one bucket in data.buckets")
        super().__init__(shards, buckets, rates, conditioning, **more)
        self._num_windows, self._captioned = num_windows, conditioning.uses_captions
        self._packed = packed
        if packed:
            self._number_in_packed = pc.index_in(shards.index["key"], value_set=packed.index["key"]).to_numpy()

    def _start(self, of_start: float) -> float:
        return fixed_start(int(of_start * self._num_windows), self._num_windows) if self._num_windows else of_start

    def _seen(
        self, sample: Sample, row: dict, bucket: Bucket, fps: float, times: np.ndarray, chosen: int
    ) -> tuple[Tensor, Tensor | None]:
        """Latents (T, C, h, w) and features (L, D); those of the empty caption, which the model knows, are left 0."""
        try:
            tensors = load(sample.content)
            latents = tensors["latents"][_place(tensors, fps, times)]
            texts = tensors["text"]
            features = texts[chosen] if chosen >= 0 else texts.new_zeros(texts.shape[1:])
            return latents, features if self._captioned else None
        except (SafetensorError, KeyError, IndexError) as error:
            raise ValueError(f"holds no latents: {error}") from error

    def _given(self, number: int, bucket: Bucket, times: np.ndarray) -> Tensor | None:
        if self._packed is None or self._conditioning.given is None:
            return None
        wanted = self._conditioning.given.of(torch.from_numpy(times)[None])[0]
        sample = self._packed.read(int(self._number_in_packed[number]))
        return torch.from_numpy(shown(sample, wanted.numpy(), bucket))


def fixed_start(k: int, num_windows: int) -> float:
    """Where fixed window `k` begins, as a share of the room for it: the middles of equal shares."""
    return (k + 0.5) / num_windows


def _place(tensors: dict[str, Tensor], fps: float, times: np.ndarray) -> Tensor | int:
    """Where in `latents` the window lies: its frames one by one, or as a whole."""
    if "pts" in tensors:
        numbers = shown_at(tensors["pts"].numpy(), tensors["second"].item(), times)
        return torch.from_numpy(numbers)
    far = (tensors["fps"] - fps).abs() + (tensors["start_s"] - times[0]).abs()
    if not len(far) or far.min() > 1e-6:
        raise ValueError(f"holds no latents: none of a window at {times[0]:.3f} s with {fps:g} frames a second")
    return int(far.argmin())
