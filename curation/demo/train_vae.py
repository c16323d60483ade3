"""Trains the demo VAE on rendered frames: `python -m curation.demo.train_vae` rewrites the shipped weights.

Owns the loop and its settings; the model is `vae_model`'s, the frames are `vae_data`'s.
"""

import argparse
import dataclasses
import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from curation.demo.train_clip import learning_rate_at
from curation.demo.vae_data import held_out_frames, train_frames
from curation.demo.vae_model import LATENT_CHANNELS, as_input, build, encode, encode_s, evaluate, load, save

_ERROR_FLOOR = 1e-4  # 46 dB: below it a nearly flat frame would outweigh the others
_LOG_EVERY = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Everything that decides the weights, beside the world and the model."""

    num_scenes: int = 3000
    frames_per_scene: int = 8
    steps: int = 3000
    batch_size: int = 8
    learning_rate: float = 4e-3
    warm_up: float = 0.05
    """Share of the steps."""
    kl_weight: float = 5e-4
    """Of the mean over the elements of a latent, in nats; at 4e-3 the noise in the latents slowed learning down."""
    max_gradient: float = 1.0
    seed: int = 0
    threads: int = 2
    """Divides batch_size. Fixed, because they change the last digits."""
    num_measured: int = 4096
    """Training frames from which shift and scale of the latents are taken."""
    num_held_out: int = 512


def batches(frames: np.ndarray, settings: Settings) -> Iterator[np.ndarray]:
    """Draws every batch of the run; about half of the batches are mirrored left to right.

    Args:
        frames: The training frames, uint8 (N, H, W, 3) RGB, N >= batch_size.
        settings: Steps, batch size, seed.

    Yields:
        uint8 (B, H, W, 3) RGB, no frame twice before all were taken.
    """
    rng = np.random.default_rng(settings.seed)
    order = np.empty(0, np.int64)
    for _ in range(settings.steps):
        if len(order) < settings.batch_size:
            order = rng.permutation(len(frames))
        rows, order = order[: settings.batch_size], order[settings.batch_size :]
        batch = frames[rows]
        yield np.ascontiguousarray(batch[:, :, ::-1]) if rng.random() < 0.5 else batch


def matrices(model: AutoencoderKL) -> dict[str, torch.Tensor]:
    """Finds the weights that Muon takes: the convolutions, but those to and from pixels and around the latents."""
    ends = ("encoder.conv_in.", "decoder.conv_out.", "quant_conv.", "post_quant_conv.")
    return {name: weight for name, weight in model.named_parameters() if weight.ndim == 4 and not name.startswith(ends)}


class Optimizer:
    """Muon (Jordan et al. 2024) for the convolutions, AdamW for the rest, one schedule for both.

    In a short trial, 75 s of one core each, AdamW alone ended 2.8 dB lower.
    """

    def __init__(self, model: AutoencoderKL, settings: Settings):
        """Takes the parameters of a model; `step` expects their gradients in `grad`."""
        convolutions = matrices(model)
        others = [parameter for name, parameter in model.named_parameters() if name not in convolutions]
        # torch's Muon takes matrices only; these share the memory of the convolutions.
        self._flat = [(torch.nn.Parameter(weight.detach().flatten(1)), weight) for weight in convolutions.values()]
        rate = settings.learning_rate
        self._optimizers = [
            torch.optim.Muon([f for f, _ in self._flat], rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, rate, betas=(0.9, 0.99), weight_decay=0.0),
        ]
        self._schedules = [
            torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: learning_rate_at((step + 1) / settings.steps, settings.warm_up)
            )
            for optimizer in self._optimizers
        ]

    def step(self) -> None:
        """Changes the parameters once and moves the schedule on."""
        for flat, weight in self._flat:
            flat.grad = weight.grad.flatten(1) if weight.grad is not None else None
        for optimizer, schedule in zip(self._optimizers, self._schedules, strict=True):
            optimizer.step()
            schedule.step()


def loss_of(model: AutoencoderKL, pictures: torch.Tensor, noise: torch.Tensor, kl_weight: float) -> torch.Tensor:
    """Gives the loss: distortion and rate.

    The error of a frame counts by its logarithm: the likelihood under a Gaussian whose width is the best for that frame
    (Rybkin et al. 2021, "Simple and Effective VAE Training with Calibrated Decoders"), and the PSNR up to a factor.

    Args:
        model: The model.
        pictures: float32 (B, 3, H, W), -1..1.
        noise: float32 (B, C, H / 8, W / 8), unit Gaussian: where in the posterior the latents are taken.
        kl_weight: Of the divergence from the unit Gaussian, a mean over the elements of the latents in nats.

    Returns:
        float32 ().
    """
    with torch.autocast("cpu", torch.bfloat16):
        posterior = model.encode(pictures).latent_dist  # type: ignore[union-attr]
        output = model.decode(posterior.mean + posterior.std * noise).sample  # type: ignore[union-attr]
    error = (output.float() - pictures).square().mean(dim=(1, 2, 3))  # (B,)
    mean, log_variance = posterior.mean.float(), posterior.logvar.float()
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    return 0.5 * (error + _ERROR_FLOOR).log().mean() + kl_weight * divergence


def set_gradients(model: AutoencoderKL, batch: np.ndarray, settings: Settings, workers: ThreadPoolExecutor) -> float:
    """Writes the clipped gradients of a batch into the model and returns the loss.

    Each thread takes its share of the batch from end to end. Two threads that share every convolution instead wait for
    each other: with other work on the cores a step took ten times as long.
    """
    parameters = list(model.parameters())
    pictures = as_input(batch)
    noise = torch.randn(len(batch), LATENT_CHANNELS, batch.shape[1] // 8, batch.shape[2] // 8)

    def part(pictures: torch.Tensor, noise: torch.Tensor) -> tuple[float, tuple[torch.Tensor, ...]]:
        loss = loss_of(model, pictures, noise, settings.kl_weight)
        return loss.item(), torch.autograd.grad(loss, parameters)

    losses, gradients = zip(
        *workers.map(part, pictures.chunk(settings.threads), noise.chunk(settings.threads)), strict=True
    )
    for parameter, *parts in zip(parameters, *gradients, strict=True):
        parameter.grad = torch.stack(parts).mean(dim=0)
    torch.nn.utils.clip_grad_norm_(parameters, settings.max_gradient)
    return sum(losses) / len(losses)


def train(model: AutoencoderKL, frames: np.ndarray, settings: Settings) -> list[float]:
    """Trains the model in place.

    Args:
        model: At its initial values.
        frames: The training frames, uint8 (N, H, W, 3) RGB.
        settings: The rest.

    Returns:
        The loss at each step.
    """
    optimizer, losses = Optimizer(model, settings), []
    model.train()
    with ThreadPoolExecutor(settings.threads, initializer=torch.set_num_threads, initargs=(1,)) as workers:
        for step, batch in enumerate(batches(frames, settings), 1):
            losses.append(set_gradients(model, batch, settings, workers))
            optimizer.step()
            if step % _LOG_EVERY == 0:
                log.info("step %d of %d: loss %.3f", step, settings.steps, np.mean(losses[-_LOG_EVERY:]))
    return losses


def normalise_latents(model: AutoencoderKL, frames: np.ndarray) -> None:
    """Writes shift and scale into the config, so that the latents of some frames get mean 0 and deviation 1."""
    means, _ = encode(model, frames)
    scale, shift = round(1 / means.std().item(), 4), round(means.mean().item(), 4)
    model.register_to_config(scaling_factor=scale, shift_factor=shift)


def make_weights(settings: Settings, num_workers: int) -> None:
    """Renders the scenes, trains a new model and writes it over the shipped weights."""
    start = time.monotonic()
    torch.manual_seed(settings.seed)
    frames = train_frames(settings.num_scenes, settings.frames_per_scene, num_workers)
    log.info("rendered %d frames in %.0f s", len(frames), time.monotonic() - start)
    model = build()
    train(model, frames, settings)
    normalise_latents(model.eval(), frames[:: max(1, len(frames) // settings.num_measured)])
    save(model)
    log.info("rendered and trained in %.0f s", time.monotonic() - start)


def main() -> None:
    """Makes the weights and measures them; `--only-measure` measures those that are there."""
    parser = argparse.ArgumentParser(prog="python -m curation.demo.train_vae", description=__doc__)
    parser.add_argument("--only-measure", action="store_true", help="measure the weights that are there")
    parser.add_argument("--workers", type=int, default=2, help="processes that render (default 2)")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    settings = Settings()
    torch.set_num_threads(settings.threads)
    if not arguments.only_measure:
        make_weights(settings, arguments.workers)
    model, frames = load(), held_out_frames(settings.num_held_out)
    log.info("held-out scenes: %s", json.dumps(dataclasses.asdict(evaluate(model, frames))))
    log.info("64 frames encoded in %.3f s", encode_s(model, frames[:64]))


if __name__ == "__main__":
    main()
