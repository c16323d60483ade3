"""What a step of the trainer costs over a plain PyTorch loop, and how long it waits for data.

    make latents STAGE=2b && make bench NAME=train_step ARGS="--latents data/demo/corpus/latents/96x64"

After each step of the trainer a twin of the denoiser takes a plain one on the same batch: noise, forward, backward,
clipping, AdamW, average, written down without the trainer. So both sides see the same weather on the machine, and the
median of their ratios counts. The trainer's step begins when its batch has come and ends when the plain one begins,
numbers included; what passes before, from one step to the next batch, is told as waiting, in a second run without the
twin, which would let workers read ahead. `all_over_plain` is both. On a GPU it prints the share of the peak that the
model's operations reach.
"""

import argparse
import copy
import csv
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from lightning.pytorch import Callback, Trainer

from training.conditioning import Conditions
from training.config import Stage, build_stage
from training.fit import train
from training.module import StageModule
from training.recipe import CONFIGS, Recipe
from training.run import Run
from training.screen import Screen
from training.stream import Batch

CEILINGS = {"step_over_plain": 1.03, "data_wait_share": 0.02}
WARM_UP = 5  # steps of either side that are not counted


def synchronised() -> float:
    """Seconds, once the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return monotonic()


@dataclass
class Twin(Callback):
    """Takes a plain step after each one of the trainer."""

    steps: list[float] = field(default_factory=list)
    """Of the trainer, over the plain one beside it."""
    alls: list[float] = field(default_factory=list)
    """The same with what passed before the batch came."""

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:  # type: ignore[override]
        """Copies the denoiser."""
        self.denoiser = copy.deepcopy(pl_module.denoiser)
        self.weights = [weight for weight in self.denoiser.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.weights, lr=1e-4)
        self.average = [weight.detach().clone() for weight in self.weights]
        self.ended = synchronised()

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Times both."""
        start = synchronised()
        with trainer.precision_plugin.forward_context():
            loss = self.loss(pl_module, batch)
        self.step(loss, trainer.gradient_clip_val or 1e9)
        end = synchronised()
        self.steps.append((start - pl_module.batch_came_s) / (end - start))
        self.alls.append((start - self.ended) / (end - start))
        self.ended = synchronised()

    def loss(self, module: StageModule, batch: Batch) -> torch.Tensor:
        """Of SVD's objective (EDM with sigma_data = 1), written plainly."""
        latents = batch.frames.float()  # (B, T, C, h, w)
        text = batch.features.float() if batch.features is not None else module.conditioner.features(batch.captions)
        sigma = torch.randn(len(latents), 1, 1, 1, 1, device=latents.device).exp()
        noisy = latents + sigma * torch.randn_like(latents)
        spread = (sigma**2 + 1).sqrt()
        raw = self.denoiser(noisy / spread, sigma.flatten().log() / 4, Conditions(text, batch.micro))
        estimate = noisy / spread**2 - raw * sigma / spread
        return ((1 + sigma**2) / sigma**2 * (estimate - latents) ** 2).mean()

    def step(self, loss: torch.Tensor, clip: float) -> None:
        """Learns from it."""
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, clip)
        self.optimizer.step()
        torch._foreach_lerp_(self.average, [weight.detach() for weight in self.weights], 0.01)


@dataclass(frozen=True)
class TwinStage(Stage):
    """A stage whose trainer takes a callback along."""

    twin: Callback | None = None

    def trainer(self, **settings: Any) -> Trainer:
        """See `Stage`."""
        trainer = super().trainer(**settings)
        if self.twin:
            trainer.callbacks.append(self.twin)  # type: ignore[attr-defined]
        return trainer


def trained(options: argparse.Namespace, rest: list[str], folder: Path, twin: Callback | None) -> dict[str, float]:
    """Trains so many steps; the last row of the numbers."""
    files = Recipe(CONFIGS / options.recipe).files(options.stage)
    size = build_stage(files, rest).data.batch_size or 1
    quiet = {"held_out_every": 0, "videos_every": 0, "checkpoint_every": 0, "captions": "[]"}
    arguments = [f"--watch.{name}={value}" for name, value in quiet.items()]
    arguments += ["--init_from=null", "--data.num_held_out=1", f"--num_samples={(options.steps + WARM_UP) * size}"]
    stage = build_stage(files, [*rest, f"--data.latents={options.latents}", *arguments])
    train(TwinStage(stage.cli, twin), Run(folder), Screen())
    rows = list(csv.DictReader((folder / "log.csv").open()))
    return {name: float(value) for name, value in rows[-1].items() if value}


def main() -> int:
    """Prints one line of JSON; 1 above a ceiling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="demo", help="default demo")
    parser.add_argument("--stage", default="2b", help="default 2b")
    parser.add_argument("--latents", required=True, help="latent sets of the stage (make latents)")
    parser.add_argument("--steps", type=int, default=100, help="of each run (default 100)")
    options, rest = parser.parse_known_args()
    twin = Twin()
    with tempfile.TemporaryDirectory() as folder:
        trained(options, rest, Path(folder) / "twin" / options.stage, twin)
        numbers = trained(options, rest, Path(folder) / "alone" / options.stage, None)
    figures = {"step_over_plain": median(twin.steps[WARM_UP:]), "data_wait_share": numbers["data_wait_share"]}
    shown = figures | {"all_over_plain": median(twin.alls[WARM_UP:])}
    shown |= {name: numbers[name] for name in ("samples_a_second", "flop_utilisation") if name in numbers}
    ok = all(figures[name] <= ceiling for name, ceiling in CEILINGS.items())
    rounded = {name: round(value, 4) for name, value in shown.items()}
    print(json.dumps({"name": "train_step", "figures": rounded, "floors": CEILINGS, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
