"""Trains the demo video network: `python -m curation.demo.train_video_net` rewrites the shipped weights.

Owns the loop and its settings; the chain is `video_net_model`'s, what is read off its features `video_net_heads`', the
clips are `video_net_data`'s.
"""

import argparse
import dataclasses
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, smooth_l1_loss

from curation.demo.clip_data import Stream
from curation.demo.train_clip import learning_rate_at
from curation.demo.video_net_data import Clips, clips_of
from curation.demo.video_net_heads import Heads, evaluate, load_heads, save_heads
from curation.demo.video_net_model import NUM_FRAMES, as_input, build, features, load, save

_LOG_EVERY = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Everything that decides the weights, beside the world and the chain."""

    num_clips: int = 6000
    epochs: int = 7
    batch_size: int = 32
    learning_rate: float = 3e-3
    warm_up: float = 0.05
    """Share of the steps."""
    weight_decay: float = 0.02
    still: float = 0.1
    """Share of the batches that stand still: nothing in the world does, and the features have to tell."""
    motion_weight: float = 4.0
    """Of the losses of camera and velocity, which are learnt last."""
    seed: int = 0
    threads: int = 1
    """Fixed, because they change the last digits."""
    num_held_out: int = 512


def loss_of(told: dict[str, Tensor], clips: Clips, motion_weight: float) -> Tensor:
    """Sum of the losses of all questions, float32 ()."""
    doings = torch.from_numpy(clips.doings)  # (B, colours, moves)
    marks = {"shapes": torch.from_numpy(clips.shapes), "doings": doings.flatten(1)}
    marks |= {"colours": doings.amax(dim=2), "moves": doings.amax(dim=1)}
    of_marks = [
        binary_cross_entropy_with_logits(told[name], wanted) * wanted.shape[1] for name, wanted in marks.items()
    ]
    background = cross_entropy(told["background"], torch.from_numpy(clips.background))
    camera = cross_entropy(told["camera"], torch.from_numpy(clips.camera))
    velocity = smooth_l1_loss(told["velocity"], torch.from_numpy(clips.velocity).float())
    return torch.stack([*of_marks, background, motion_weight * (camera + velocity)]).sum()


def batches(clips: Clips, settings: Settings) -> Iterator[Clips]:
    """Draws every batch; by batch as it is or mirrored, forwards or backwards, half and half, and some stand still."""
    rng = np.random.default_rng(settings.seed)
    for _ in range(settings.epochs):
        order = rng.permutation(len(clips.frames))
        for start in range(0, len(order) - settings.batch_size + 1, settings.batch_size):
            batch = clips.at(order[start : start + settings.batch_size])
            batch = batch.mirrored() if rng.random() < 0.5 else batch
            batch = batch.backwards() if rng.random() < 0.5 else batch
            yield batch.still() if rng.random() < settings.still else batch


def train(chain: nn.Sequential, heads: Heads, clips: Clips, settings: Settings) -> list[float]:
    """Trains both in place; gives the loss of each step."""
    num_steps = len(clips.frames) // settings.batch_size * settings.epochs
    parameters = [*chain.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_at((step + 1) / num_steps, settings.warm_up)
    )
    chain.train()
    losses = []
    for step, batch in enumerate(batches(clips, settings), 1):
        loss = loss_of(heads(features(chain, as_input(batch.frames))), batch, settings.motion_weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % _LOG_EVERY == 0:
            log.info("step %d of %d: loss %.3f", step, num_steps, np.mean(losses[-_LOG_EVERY:]))
    return losses


def make_weights(settings: Settings, num_workers: int) -> None:
    """Renders the clips, trains a new chain and writes it over the shipped weights."""
    start = time.monotonic()
    torch.manual_seed(settings.seed)
    clips = clips_of(Stream.TRAIN, settings.num_clips, NUM_FRAMES, num_workers)
    log.info("rendered %d clips in %.0f s", len(clips.frames), time.monotonic() - start)
    chain, heads = build(), Heads()
    train(chain, heads, clips, settings)
    save(chain)
    save_heads(heads)
    log.info("rendered and trained in %.0f s", time.monotonic() - start)


def main() -> None:
    """Makes the weights and measures them; `--only-measure` measures those that are there."""
    parser = argparse.ArgumentParser(prog="python -m curation.demo.train_video_net", description=__doc__)
    parser.add_argument("--only-measure", action="store_true", help="measure the weights that are there")
    parser.add_argument("--workers", type=int, default=2, help="processes that render (default 2)")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    settings = Settings()
    torch.set_num_threads(settings.threads)
    if not arguments.only_measure:
        make_weights(settings, arguments.workers)
    held_out = clips_of(Stream.HELD_OUT, settings.num_held_out, NUM_FRAMES, arguments.workers)
    log.info("held-out clips: %s", json.dumps(dataclasses.asdict(evaluate(load(), load_heads(), held_out))))


if __name__ == "__main__":
    main()
