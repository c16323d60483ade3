"""Metrics whose figures are known: what an evaluation does can be told without a network."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from training.metrics.evaluation import Evaluation
from training.metrics.frechet import FrechetMetric
from training.metrics.metric import Figure, Measure, Videos
from training.metrics.rows import MeanOfVideos


@dataclass(frozen=True)
class Brightness(MeanOfVideos):
    """Mean of all bytes."""

    name: str = "brightness"
    min_frames: int = 0
    better = "higher"

    @property
    def protocol(self) -> str:
        return "mean of bytes"

    def load(self, device) -> Measure:
        if self.min_frames < 0:
            raise ValueError("needs weights that are not there: fetch them")

        def measure(videos: Videos) -> Tensor:
            if videos.frames.shape[1] < self.min_frames:
                raise ValueError("too short")
            return videos.frames.float().mean(dim=(1, 2, 3, 4))

        return measure


@dataclass(frozen=True)
class Corners(FrechetMetric):
    """Frechet distance of the first pixels."""

    name: str = "corners"

    @property
    def protocol(self) -> str:
        return "first pixel"

    def load(self, device) -> Measure:
        return lambda videos: videos.frames[:, 0, 0, 0].float()


def some_videos(number: int, seed: int = 0, frames: int = 3) -> Videos:
    """Noise, each video of a brightness of its own."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 64, (number, frames, 4, 6, 3), generator=generator)
    level = torch.randint(0, 192, (number, 1, 1, 1, 1), generator=generator)
    return Videos((noise + level).to(torch.uint8), [f"caption {n}" for n in range(number)], 8.0)


def some_of(videos: Videos, rows: Sequence[int]) -> Videos:
    return Videos(videos.frames[list(rows)], [videos.captions[row] for row in rows], videos.fps)


def figures_of(rank: int, num_ranks: int, num_fake: int = 45, num_real: int = 41) -> tuple[list[Figure], dict]:
    """Figures of the same videos dealt out to ranks in batches of 4."""
    evaluation = Evaluation([Brightness(), Corners(), Brightness("lacking", -1)], torch.device("cpu"))
    for number, is_real in ((num_fake, False), (num_real, True)):
        videos, mine = some_videos(number, seed=int(is_real)), range(rank, number, num_ranks)
        for start in range(0, len(mine), 4):
            evaluation.add(mine[start : start + 4], some_of(videos, mine[start : start + 4]), is_real)
    found = evaluation.figures()
    assert evaluation.figures() == found, "asking changes nothing"
    return found, evaluation.of_videos("brightness")


if __name__ == "__main__":  # one rank of two: <rank> <file of the rendezvous> <file of what it found> <videos> ...
    rank, meeting, out = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    out.write_text(repr([figures_of(rank, 2, number, number) for number in map(int, sys.argv[4:])]))
    dist.destroy_process_group()
