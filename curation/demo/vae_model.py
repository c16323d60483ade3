"""The demo VAE as diffusers builds it: making, loading, saving, frames in and out, and its figures."""

import copy
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

FOLDER = Path(__file__).parent / "weights" / "vae"
WEIGHTS = "diffusion_pytorch_model.safetensors"  # the name that diffusers looks for
LATENT_CHANNELS = 8
_CONFIG: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (16, 16, 64, 96),  # few at full and half resolution, where the time goes
    "layers_per_block": 1,
    "latent_channels": LATENT_CHANNELS,
    "norm_num_groups": 4,
    "sample_size": 64,
    "mid_block_add_attention": False,
}
_FIRST_LOG_VARIANCE = -6.0  # at 0, the noise of the first samples drowns the picture
_BATCH_SIZE = 64  # frames a forward pass when measuring


@dataclass(frozen=True)
class Figures:
    """How well a model serves; each over all frames given."""

    psnr_db: float
    """Mean over the frames of each frame's PSNR, on bytes."""
    psnr_p5_db: float
    """5th percentile of the same."""
    latent_mean: float
    """Of the latents as a diffusion model sees them, shifted and scaled; 0 is wanted."""
    latent_std: float
    """Of the same; 1 is wanted."""
    channel_means: tuple[float, ...]
    channel_stds: tuple[float, ...]
    posterior_std: float
    """Mean width of the posterior, in the same unit: the noise to which the decoder is used."""


def build() -> AutoencoderKL:
    """Makes the model at its initial values; a latent covers 8 by 8 pixels."""
    model = AutoencoderKL(**_CONFIG)
    assert model.quant_conv is not None and model.quant_conv.bias is not None, "diffusers makes both by default"
    model.quant_conv.bias.data[LATENT_CHANNELS:] = _FIRST_LOG_VARIANCE
    for name, parameter in model.named_parameters():
        if ".conv2." in name:  # the second of a residual block: at 0, the path through the model starts out linear
            parameter.data.zero_()
    return model


def load(folder: Path = FOLDER) -> AutoencoderKL:
    """Loads a model in float32, ready to use."""
    # Without low_cpu_mem_usage=False diffusers asks for a package that this project does not need.
    return AutoencoderKL.from_pretrained(folder, local_files_only=True, low_cpu_mem_usage=False).eval()


def save(model: AutoencoderKL, folder: Path = FOLDER) -> None:
    """Writes config and weights, the weights in half precision."""
    copy.deepcopy(model).half().save_pretrained(folder)


def as_input(frames: np.ndarray) -> torch.Tensor:
    """Turns frames, uint8 (N, H, W, 3) RGB, into what the model takes: float32 (N, 3, H, W), -1..1."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1


def as_frames(output: torch.Tensor) -> np.ndarray:
    """Turns the model's output, float (N, 3, H, W), into frames, uint8 (N, H, W, 3) RGB."""
    return ((output + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


@torch.inference_mode()
def encode(model: AutoencoderKL, frames: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Encodes frames.

    Args:
        model: The model.
        frames: uint8 (N, H, W, 3) RGB.

    Returns:
        Mean and standard deviation of the posterior, float32 (N, C, H / 8, W / 8) each, neither shifted nor scaled.
    """
    parts = [frames[start : start + _BATCH_SIZE] for start in range(0, len(frames), _BATCH_SIZE)]
    posteriors = [model.encode(as_input(part)).latent_dist for part in parts]  # type: ignore[union-attr]
    return torch.cat([p.mean for p in posteriors]), torch.cat([p.std for p in posteriors])


@torch.inference_mode()
def decode(model: AutoencoderKL, latents: torch.Tensor) -> np.ndarray:
    """Decodes latents as `encode` gives them, float32 (N, C, h, w), to frames, uint8 (N, 8 h, 8 w, 3) RGB."""
    parts = [model.decode(part).sample for part in latents.split(_BATCH_SIZE)]  # type: ignore[union-attr]
    return np.concatenate([as_frames(part) for part in parts])


def psnr(frames: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Measures how near frames are to others.

    Args:
        frames: uint8 (N, H, W, 3).
        others: uint8 (N, H, W, 3).

    Returns:
        float64 (N,): 10 log10(255^2 / MSE) in dB, the mean squared error being over the pixels and channels of a frame;
        infinite for equal frames.
    """
    error = np.square(frames.astype(np.float64) - others).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / error)


def evaluate(model: AutoencoderKL, frames: np.ndarray) -> Figures:
    """Measures a model on frames, uint8 (N, H, W, 3) RGB; decodes the mean of the posterior."""
    means, stds = encode(model, frames)
    quality = psnr(frames, decode(model, means))
    scale, shift = model.config["scaling_factor"], model.config["shift_factor"] or 0.0
    latents = (means - shift) * scale
    return Figures(
        psnr_db=float(quality.mean()),
        psnr_p5_db=float(np.percentile(quality, 5)),
        latent_mean=latents.mean().item(),
        latent_std=latents.std().item(),
        channel_means=tuple(latents.mean(dim=(0, 2, 3)).tolist()),
        channel_stds=tuple(latents.std(dim=(0, 2, 3)).tolist()),
        posterior_std=stds.mean().item() * scale,
    )


def encode_s(model: AutoencoderKL, frames: np.ndarray) -> float:
    """Gives the seconds to encode frames, uint8 (N, H, W, 3) RGB, in float32: the best of five times."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        encode(model, frames)
        times.append(time.perf_counter() - start)
    return min(times)
