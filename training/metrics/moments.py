"""Counts, sums and sums of products of features, in double precision: means and covariances that add over ranks."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from training.metrics.metric import State
from training.metrics.ranks import of_all_ranks, summed


class Moments(State):
    """Sums over features, apart for each of some groups of videos, so that any group can be left out.

    A video's group is its number modulo their count; what is sampled and what is real of one caption, which has the
    same number in both lists, thus go together.
    """

    def __init__(self, num_groups: int = 1) -> None:
        """Holds no video yet.

        Args:
            num_groups: 1 where no group is ever left out: a sum of products takes 8 D^2 bytes a group.
        """
        self.num_groups = num_groups
        self._num_videos = torch.zeros(num_groups, dtype=torch.float64)
        self._counts = torch.zeros(num_groups, dtype=torch.float64)
        self._sums: Tensor | None = None
        self._products: Tensor | None = None

    def __len__(self) -> int:
        """See `State`."""
        return int(self._num_videos.sum())

    @property
    def num_features(self) -> int:
        """D; 0 before the first video."""
        return 0 if self._sums is None else self._sums.shape[1]

    @property
    def count(self) -> int:
        """Number of features: one a video, or one a frame."""
        return int(self._counts.sum())

    def add(self, numbers: Sequence[int], values: Tensor) -> None:
        """See `State`; values are features (B, D), or (B, K, D) of K frames each."""
        features = values.detach().double()
        features = features[:, None] if features.ndim == 2 else features  # (B, K, D)
        sums, products = self._room(features.shape[2], features.device)
        groups = torch.tensor([number % self.num_groups for number in numbers])
        for group in groups.unique().tolist():
            each = features[(groups == group).to(features.device)].flatten(0, 1)  # (N, D)
            self._num_videos[group] += (groups == group).sum()
            self._counts[group] += len(each)
            sums[group] += each.sum(dim=0)
            products[group].addmm_(each.T, each)

    def _room(self, num_features: int, device: torch.device) -> tuple[Tensor, Tensor]:
        if self._sums is None or self._products is None:
            shape = (self.num_groups, num_features)
            self._sums = torch.zeros(shape, dtype=torch.float64, device=device)
            self._products = torch.zeros((*shape, num_features), dtype=torch.float64, device=device)
        return self._sums, self._products

    def gathered(self) -> Self:
        """See `State`."""
        together = type(self)(self.num_groups)
        num_features = max(of_all_ranks(self.num_features))
        if num_features:  # a rank without videos takes part with zeros
            sums, products = self._room(num_features, torch.device("cpu"))
            together._sums, together._products = summed(sums), summed(products)
        together._num_videos, together._counts = summed(self._num_videos), summed(self._counts)
        return together

    def gaussian(self, without: int | None = None) -> tuple[Tensor, Tensor]:
        """Mean and unbiased covariance of all features.

        Args:
            without: a group that is left out.

        Returns:
            float64 (D,) and (D, D).

        Raises:
            ValueError: fewer than two features.
        """
        kept = [group for group in range(self.num_groups) if group != without]
        count = self._counts[kept].sum().item()
        if count < 2 or self._sums is None or self._products is None:
            raise ValueError(f"{count:.0f} features have no covariance: at least 2 are needed")
        mean = self._sums[kept].sum(dim=0) / count
        scatter = self._products[kept].sum(dim=0) - count * mean.outer(mean)
        return mean, scatter / (count - 1)
