"""Trains `curation/shot_reader.py` on rendered films: `python benchmarks/train_shot_reader.py FILMS`, some 20 minutes.

FILMS is what `films.py` wrote. Each film is seen as it is, and twice cut out so that it starts or ends amid a
transition, with TransNetV2's answers around boundaries and large changes; and four times changed, without answers:
backwards, in other light, at half the rate, and at more.
"""

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from curation.prolonged import prolonged
from curation.shot_features import NAMES, REACH, features
from curation.shot_network import shot_network
from curation.shot_reader import DILATIONS, LARGEST, TAPS, WEIGHTS, inputs
from curation.small_frame import small_frame
from shards.video import open_video

HIDDEN = 32
WINDOW, BATCH, EPOCHS, RATE = 256, 16, 8, 3e-3
CONTEXT = 20


@dataclass
class Example:
    """A film in numbers."""

    x: np.ndarray
    """float32 (num_frames, len(NAMES) + 3)."""
    wanted: np.ndarray
    """float32 (num_frames, 2): 1 at the first frame after a cut; 1 in a transition."""
    weight: np.ndarray
    """float32 (num_frames, 2): 0 where it is not certain."""


class Reader(nn.Module):
    """The network of `curation/shot_reader.py`, to be trained."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: np.ndarray, std: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("std", torch.from_numpy(std))
        self.convs = nn.ModuleList(
            nn.Conv1d(count, HIDDEN, TAPS, dilation=d, padding=d * (TAPS // 2), padding_mode="replicate")
            for count, d in zip([len(mean), HIDDEN, HIDDEN, HIDDEN], DILATIONS, strict=True)
        )
        self.out = nn.Conv1d(HIDDEN, 2, 1)
        self.out.bias = nn.Parameter(torch.full((2,), -3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, num_frames, 2) of (batch, num_frames, len(NAMES) + 3)."""
        x = ((x - self.mean) / self.std).clamp(-LARGEST, LARGEST).transpose(1, 2)
        for layer, conv in enumerate(self.convs):
            y = F.dropout1d(F.relu(conv(x)), 0.12, self.training)
            x = x + y if layer else y
        return self.out(x).transpose(1, 2)


def thumbnails(path: Path) -> np.ndarray:
    """All frames of a film: uint8 (num_frames, 27, 48, 3)."""
    with open_video(str(path), threads=1) as video:
        return np.stack([small_frame(frame).rgb for frame in video.frames()])


def changed(rgb: np.ndarray, truth: dict, rng: np.random.Generator):
    """The film four times changed, each with its truth: yields (frames, cuts, gradual)."""
    cuts, gradual, count = truth["cuts"], [tuple(span) for span in truth["gradual"]], len(rgb)
    yield rgb[::-1], [count - c for c in cuts], [(count - 1 - b, count - 1 - a) for a, b in gradual]
    lit = rgb * rng.uniform(0.4, 1.6) * (1 + rng.normal(size=3) * 0.15) + rng.uniform(-30, 40)
    yield np.clip(lit, 0, 255).astype(np.uint8), cuts, gradual
    for rate in (0.5, rng.choice([1.25, 2, 2.5])):
        shown = np.minimum((np.arange(int(count * rate)) / rate).astype(int), count - 1)
        moved = np.searchsorted(shown, cuts).tolist()
        spans = [(np.searchsorted(shown, a), np.searchsorted(shown, b + 1) - 1) for a, b in gradual]
        yield rgb[shown], sorted(set(moved)), [(int(a), int(b)) for a, b in spans if b > a]


def cut_out(rgb: np.ndarray, truth: dict, rng: np.random.Generator):
    """Two stretches of the film, of which one starts and one ends amid a transition: yields (frames, cuts, gradual)."""
    for starts in (True, False) if truth["gradual"] else ():
        first, last = truth["gradual"][rng.integers(len(truth["gradual"]))]
        here, length = int(rng.integers(first + 1, last + 1)), int(rng.integers(60, 200))
        start, end = (here, min(len(rgb), here + length)) if starts else (max(0, here - length), here)
        cuts = [cut - start for cut in truth["cuts"] if start < cut < end]
        inside = [(a, b) for a, b in truth["gradual"] if a < end and b >= start]
        yield rgb[start:end], cuts, [(max(a, start) - start, min(b, end - 1) - start) for a, b in inside]


def targets(count: int, cuts: list[int], gradual: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """What is wanted and how much it counts; edges count little, since nobody sees the first percents of a fade."""
    wanted, weight = np.zeros((count, 2), np.float32), np.ones((count, 2), np.float32)
    for cut in cuts:
        weight[max(0, cut - 1) : cut + 2, 0], weight[max(0, cut - 2) : cut + 2, 1] = 0, 0.3
    for cut in cuts:
        wanted[cut : cut + 1, 0] = weight[cut : cut + 1, 0] = 1
    for first, last in gradual:
        wanted[first : last + 1, 1] = 1
        weight[[max(0, first - 1), min(count - 1, last + 1)], 1] = 0
        weight[[first, last], 1] = 0.3
        if last - first < 4:  # so short a one may pass for a cut
            weight[max(0, first - 1) : last + 2, 0] = 0
    return wanted, weight


def numbers(rgb: np.ndarray) -> np.ndarray:
    """Features of all frames."""
    return features(prolonged(np.ascontiguousarray(rgb), REACH))


def answers(rgb: np.ndarray, truth: dict, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """TransNetV2's answers around all boundaries and around the largest changes that are none; NaN elsewhere."""
    found, network = np.full((len(rgb), 2), np.nan, np.float32), shot_network("cpu", 1)
    spans = [(c, c + 1) for c in truth["cuts"]] + [(a, b + 1) for a, b in truth["gradual"]]
    change = x[:, NAMES.index("distance_1")] + x[:, NAMES.index("distance_8")]
    spans += [(t, t + 1) for t in np.argsort(change)[-len(rgb) // 20 :: 4]]
    for start, end in spans:
        start, end = max(0, start - 8), min(len(rgb), end + 8)
        if np.isnan(found[start:end]).any() and rng.random() < 0.9:
            around = np.clip(np.arange(start - CONTEXT, end + CONTEXT), 0, len(rgb) - 1)
            found[start:end] = network.probabilities(rgb[around][None])[0, CONTEXT:-CONTEXT]
    return found


def examples_of(path: Path) -> list[Example]:
    """A film, given by its truth's file, changed in all ways."""
    number, made = int(path.stem), []
    rng = np.random.default_rng([3, number])
    rgb, truth = thumbnails(path.with_suffix(".mp4")), json.loads(path.read_text(encoding="utf-8"))
    whole = (rgb, truth["cuts"], [tuple(span) for span in truth["gradual"]])
    seen = [(whole, True), *((each, False) for each in changed(rgb, truth, rng))]
    seen += [(each, True) for each in cut_out(rgb, truth, rng)]
    for (frames, cuts, gradual), is_asked in seen:
        x, asked = numbers(frames), np.full((len(frames), 2), np.nan, np.float32)
        if is_asked:
            asked = answers(frames, {"cuts": cuts, "gradual": gradual}, x, rng)
        made.append(Example(np.concatenate([x, inputs(asked)], axis=1), *targets(len(x), cuts, gradual)))
    return made


def examples(folder: Path) -> list[Example]:
    """All films of a folder."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return [example for made in pool.map(examples_of, sorted(folder.glob("*.json"))) for example in made]


def batch(made: list[Example], rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
    """Random windows; the answers are hidden in a third of them, since at first none are known."""
    rows, lengths = [], np.array([len(example.x) for example in made], float)
    for example in (made[i] for i in rng.choice(len(made), size=BATCH, p=lengths / lengths.sum())):
        start = int(rng.integers(max(1, len(example.x) - WINDOW)))
        at = np.minimum(np.arange(start, start + WINDOW), len(example.x) - 1)
        x = example.x[at].copy()
        x[:, : len(NAMES)] += 0.1 * rng.standard_normal(len(NAMES)) + 0.08 * rng.standard_normal((WINDOW, len(NAMES)))
        if rng.random() < 0.35:
            x[:, len(NAMES) :] = 0
        beyond = np.arange(start, start + WINDOW) >= len(example.x)
        rows.append((x, example.wanted[at], np.where(beyond[:, None], 0, example.weight[at]).astype(np.float32)))
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True))


def train(made: list[Example], seed: int = 0) -> Reader:
    """The mean of the weights over the second half of training."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng, every = np.random.default_rng(seed), np.concatenate([example.x for example in made])
    mean, std = every.mean(axis=0), every.std(axis=0) + 1e-3
    mean[len(NAMES) :], std[len(NAMES) :] = 0, 1
    reader, steps = Reader(mean, std), EPOCHS * len(every) // (BATCH * WINDOW)
    optimizer = torch.optim.AdamW(reader.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    average = torch.optim.swa_utils.AveragedModel(reader, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    weights = torch.tensor([6.0, 1.5])
    for step in range(steps):
        x, wanted, weight = batch(made, rng)
        loss = F.binary_cross_entropy_with_logits(reader(x), wanted, reduction="none", pos_weight=weights) * weight
        reader.zero_grad()
        loss.mean().backward()
        optimizer.step()
        schedule.step()
        if step >= steps // 2:
            average.update_parameters(reader)
    reader.load_state_dict(average.module.state_dict())
    return reader.eval()


def main() -> None:
    """Trains and writes the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    reader = train(examples(options.films))
    save_file({name: np.ascontiguousarray(value.numpy()) for name, value in reader.state_dict().items()}, options.out)


if __name__ == "__main__":
    main()
