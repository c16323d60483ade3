"""Frames of the video that the model is given beside the noise: image to video, and interpolation between two frames.

Owns which they are, the noise on them, and where they stand; the denoiser concatenates them with the noisy latents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Given:
    """What a stage gives its denoiser of the video itself (SVD, sections 4.3 and 4.5, appendix D).

    Raises:
        ValueError: a number is out of its range.
    """

    frames: Literal["first", "ends"] = "first"
    """`first`: the first frame, repeated for every frame. `ends`: the first and the last one, each in its place, and a
    mask that tells which they are."""
    embedding: bool = True
    """Whether the image encoder's embedding of the first frame takes the place of the caption."""
    noise_mean: float = -3.0
    """Mean of ln sigma, sigma the deviation of the noise on the pixels, which range over -1..1; the number `noise`
    tells it to the model."""
    noise_std: float = 0.5
    """Standard deviation of ln sigma."""
    sampling_noise: float = 0.02
    """Sigma for videos that are sampled."""
    dropout: float = 0.1
    """Share of samples whose given frames are zeros (ours, as the next: the paper names none)."""
    embedding_dropout: float = 0.1
    """Share of samples whose embedding is zeros, drawn by itself."""

    def __post_init__(self) -> None:
        for name in ("dropout", "embedding_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"conditioning.given.{name} is a share, 0 <= share < 1, not {getattr(self, name)}")
        for name in ("noise_std", "sampling_noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"conditioning.given.{name} is at least 0, not {getattr(self, name)}")

    @property
    def is_masked(self) -> bool:
        """Whether some frames are not given."""
        return self.frames == "ends"

    @property
    def number(self) -> int:
        """Frames that are given."""
        return 2 if self.is_masked else 1

    def of(self, frames: Tensor) -> Tensor:
        """Those of a video that are given: (B, T, ...) to (B, K, ...)."""
        return frames[:, [0, -1]] if self.is_masked else frames[:, :1]

    def place(self, latents: Tensor, num_frames: int) -> tuple[Tensor, Tensor | None]:
        """Where the given frames stand.

        Args:
            latents: (B, K, C, h, w) of the given frames.
            num_frames: T, of the noisy latents.

        Returns:
            (B, T, C, h, w), and (B, T) bool which of them are given, where not all are.
        """
        if not self.is_masked:
            return latents.expand(-1, num_frames, -1, -1, -1), None
        placed = latents.new_zeros(len(latents), num_frames, *latents.shape[2:])
        placed[:, 0], placed[:, -1] = latents[:, 0], latents[:, 1]
        is_given = torch.zeros(len(latents), num_frames, dtype=torch.bool, device=latents.device)
        is_given[:, 0] = is_given[:, -1] = True
        return placed, is_given


@dataclass(frozen=True)
class GivenDraw:
    """What chance decides of one batch's given frames."""

    level: Tensor
    """(B,) deviation of the noise on the pixels."""
    noise: Tensor
    """(B, K, 3, H, W) of variance 1."""
    dropped: Tensor
    """(B,) bool, whose frames are zeros."""
    embedding_dropped: Tensor
    """(B,) bool, whose embedding is zeros."""

    def noisy(self, frames: Tensor) -> Tensor:
        """Frames uint8 (B, K, H, W, 3) to pixels float32 (B, K, 3, H, W), about -1..1, with the noise."""
        pixels = frames.movedim(-1, 2).float() / 127.5 - 1  # (B, K, 3, H, W)
        return pixels + self.level.to(pixels)[:, None, None, None, None] * self.noise.to(pixels)


def draw_given(given: Given, size: tuple[int, int], generators: Sequence[torch.Generator]) -> GivenDraw:
    """Draws for training, each sample from its own generator.

    Args:
        given: what of.
        size: height and width, pixels.
        generators: one a sample, on the CPU.
    """
    draws = [
        (
            (given.noise_mean + given.noise_std * torch.randn((), generator=generator)).exp(),
            torch.randn(given.number, 3, *size, generator=generator),
            torch.rand((), generator=generator) < given.dropout,
            torch.rand((), generator=generator) < given.embedding_dropout,
        )
        for generator in generators
    ]
    return GivenDraw(*(torch.stack(part) for part in zip(*draws, strict=True)))


def sampling_draw(given: Given, size: tuple[int, int], generators: Sequence[torch.Generator]) -> GivenDraw:
    """The same for sampling: the level is `sampling_noise`, nothing is dropped; arguments as for `draw_given`."""
    noise = [torch.randn(given.number, 3, *size, generator=generator) for generator in generators]
    nothing = torch.zeros(len(noise), dtype=torch.bool)
    return GivenDraw(torch.full((len(noise),), given.sampling_noise), torch.stack(noise), nothing, nothing)
