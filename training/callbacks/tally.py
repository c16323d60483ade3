"""Losses of samples by bucket and by noise level; nothing is read from the device before it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.bucket import Bucket
from training.objective import Objective

NUM_LEVELS = 4
"""Bins of equal probability under the stage's own distribution; `held_out_loss` measures at their middles."""


def level_edges(objective: Objective, shape: tuple[int, int, int, int]) -> Tensor:
    """Noise levels between the bins: (NUM_LEVELS - 1,) float32, rising.

    Args:
        objective: its distribution of levels.
        shape: (T, C, h, w) of the latents.
    """
    levels = objective.sigma.for_shape(shape)
    return torch.tensor([levels.quantile(number / NUM_LEVELS) for number in range(1, NUM_LEVELS)])


@dataclass
class Tally:
    """What was learnt from since the last look, on this rank."""

    edges: list[Tensor]
    """Of each bucket, see `level_edges`."""
    _seen: list[tuple[int, Tensor, Tensor]] = field(default_factory=list)

    def add(self, bucket: int, losses: Tensor, sigmas: Tensor) -> None:
        """Takes note of a batch; both (B,), detached, on any device."""
        self._seen.append((bucket, losses, sigmas))

    def sums(self) -> Tensor:
        """Sum and number of losses by bucket and level: (buckets, NUM_LEVELS, 2) float64 on the CPU."""
        sums = torch.zeros(len(self.edges), NUM_LEVELS, 2, dtype=torch.float64)
        for number, edges in enumerate(self.edges):
            mine = [(losses, sigmas) for bucket, losses, sigmas in self._seen if bucket == number]
            if not mine:
                continue
            losses, sigmas = (torch.cat(parts).cpu() for parts in zip(*mine, strict=True))
            bins = torch.bucketize(sigmas, edges, right=True)  # a level on an edge is of the bin above it
            sums[number].index_add_(0, bins, torch.stack([losses.double(), torch.ones(len(losses)).double()], dim=1))
        return sums

    def clear(self) -> None:
        """Starts anew."""
        self._seen = []


def means(sums: Tensor, buckets: Sequence[Bucket]) -> dict[str, float]:
    """Mean losses by name: of all samples, by level, and where there are several, by medium and by bucket.

    Args:
        sums: (buckets, NUM_LEVELS, 2), see `Tally.sums`; over all ranks.
        buckets: in the same order.

    Returns:
        `loss`, `loss_by_level/1_of_4` (least noise) and so on, `loss_by_medium/image`, `loss_by_bucket/8x64x96`; what
        no sample was of is not there.
    """
    parts = {"loss": sums.sum((0, 1))}
    parts |= {f"loss_by_level/{i + 1}_of_{NUM_LEVELS}": level for i, level in enumerate(sums.sum(0))}
    of_bucket = sums.sum(1)  # (buckets, 2)
    is_image = torch.tensor([bucket.is_image for bucket in buckets])
    if is_image.any() and not is_image.all():
        media = {"image": is_image, "video": ~is_image}
        parts |= {f"loss_by_medium/{name}": of_bucket[which].sum(0) for name, which in media.items()}
    if len(buckets) > 1:
        parts |= {f"loss_by_bucket/{bucket}": part for bucket, part in zip(buckets, of_bucket, strict=True)}
    return {name: float(total / number) for name, (total, number) in parts.items() if number}
