"""What a denoiser is told beside the noisy latents: the caption, and numbers such as the frame rate.

Owns their meaning and the dropout that makes guidance possible; embedding the numbers is the denoiser's.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from training.given import Given

REQUIRED, OPTIONAL, NONE = "required", "optional", "none"
FPS, MOTION, SCORE, NOISE, ZERO = "fps", "motion_bucket", "scores.", "noise", "zero"


@dataclass(frozen=True)
class Micro:
    """One number that conditions the model (micro-conditioning: SVD, section 3; SDXL, section 2.2).

    Raises:
        ValueError: no such source.
    """

    source: str
    """`fps`: frames a second as the model sees them; `motion_bucket`: 0..255, the clip's motion by its rank in the
    corpus; `scores.<column>`: a score of the clip; `noise`: deviation of the noise on given frames; `zero`: always 0,
    kept for published weights that have one more number. A picture has neither rate nor motion: its numbers are 0."""
    scale: float = 1.0
    """The number is multiplied by this; sinusoids tell numbers between 1 and 1000 apart best."""
    offset: float = 0.0
    """Added before scaling (SVD was told fps - 1)."""
    sampling: float = 0.0
    """The number for videos that are sampled, before scaling; `fps` has that of the sampled video."""

    def __post_init__(self) -> None:
        if self.source not in (FPS, MOTION, NOISE, ZERO) and not self.score:
            raise ValueError(
                f"micro-conditioning on {self.source!r}: it is `fps`, `motion_bucket`, `noise`, `zero`, or "
                "`scores.<column>`"
            )
        if self.sampling and self.source in (FPS, NOISE, ZERO):
            raise ValueError(f"micro-conditioning on {self.source!r} has no `sampling`: it follows from the video")

    @property
    def score(self) -> str | None:
        """Name of the score's column, if it is one."""
        return self.source.removeprefix(SCORE) if self.source.startswith(SCORE) else None

    def of_clip(self, fps: float, scores: dict[str, float | None], motion_bucket: int | None = None) -> float:
        """The scaled number of a clip whose frames are taken at `fps`; that of noise is told later, see `with_noise`.

        Raises:
            ValueError: the clip has no such score.
        """
        told = {FPS: fps, MOTION: motion_bucket}
        if self.source in (NOISE, ZERO):
            return 0.0
        value = scores.get(self.score) if self.score else told[self.source]
        if value is None:
            raise ValueError(f"no score {self.score}" if self.score else "no motion bucket")
        return (value + self.offset) * self.scale

    def of_sampling(self, fps: float) -> float:
        """The scaled number for a video that is sampled at `fps` frames a second."""
        if self.source in (NOISE, ZERO):
            return 0.0
        return self.scale * ((fps if self.source == FPS else self.sampling) + self.offset)


@dataclass(frozen=True)
class Conditioning:
    """How a stage conditions its denoiser."""

    micro: tuple[Micro, ...] = ()
    """In the order in which the denoiser embeds them."""
    captions: Literal["required", "optional", "none"] | bool = OPTIONAL
    """`optional`: samples without a caption train unconditionally, with the empty one; `required`, or true: they are
    skipped; `none`, or false: no caption is used, and sampling ignores its own. A set without
    any needs `none`."""
    text_dropout: float = 0.15
    """Share of samples whose caption is replaced by the empty one (classifier-free guidance; SVD, appendix D)."""
    given: Given | None = None
    """Frames of the video that the model is given; null in text to video."""

    def __post_init__(self) -> None:
        if self.given is None and any(micro.source == NOISE for micro in self.micro):
            raise ValueError("micro-conditioning on `noise` is on that of given frames: set conditioning.given")
        if isinstance(self.captions, bool):
            object.__setattr__(self, "captions", REQUIRED if self.captions else NONE)
        if self.embeds_image:  # nobody looks at the captions
            object.__setattr__(self, "captions", NONE)
        if not 0 <= self.text_dropout < 1:
            raise ValueError(f"text_dropout is a share, 0 <= share < 1, not {self.text_dropout}")

    @property
    def uses_captions(self) -> bool:
        """Whether the caption is any of the conditions."""
        return self.captions != NONE

    @property
    def scores(self) -> tuple[str, ...]:
        """Columns of the scores that every sample must have."""
        return tuple(micro.score for micro in self.micro if micro.score)

    @property
    def motion_bucket(self) -> bool:
        """Whether every sample must have a bucket of motion."""
        return any(micro.source == MOTION for micro in self.micro)

    @property
    def embeds_image(self) -> bool:
        """Whether an image's embedding takes the place of the caption."""
        return self.given is not None and self.given.embedding

    def with_noise(self, micro: Tensor, level: Tensor) -> Tensor:
        """Numbers (B, N), those of the noise on given frames filled in from its deviation (B,)."""
        filled = micro.clone()
        for number, told in enumerate(self.micro):
            if told.source == NOISE:
                filled[:, number] = (level.to(micro) + told.offset) * told.scale
        return filled


@dataclass(frozen=True)
class Conditions:
    """What one batch is conditioned on, as tensors."""

    text: Tensor
    """(B, L, D) features of the caption's tokens."""
    micro: Tensor
    """(B, N) float32, scaled, in the order of `Conditioning.micro`."""
    given: Tensor | None = None
    """(B, T, C', h, w) latents of given frames, as the autoencoder gives them, not scaled; zeros where none is."""
    is_given: Tensor | None = None
    """(B, T) bool which frames are given, where not all are."""


def leave_out_text(text: Tensor, empty: Tensor, dropped: Tensor) -> Tensor:
    """Replaces the features that are marked.

    Args:
        text: (B, L, D) features.
        empty: (1, L, D) features of no caption, or of no image.
        dropped: (B,) bool.

    Returns:
        (B, L, D).
    """
    return torch.where(dropped.to(text.device)[:, None, None], empty, text)


def leave_out_given(conditions: Conditions, dropped: Tensor) -> Conditions:
    """Gives no frame of the videos that are marked, (B,) bool: zeros, or as if none had been known."""
    given, is_given = conditions.given, conditions.is_given
    if given is None:
        return conditions
    kept = ~dropped.to(given.device)
    masked = None if is_given is None else is_given & kept[:, None]  # (B, T)
    return replace(conditions, given=given * kept[:, None, None, None, None], is_given=masked)


def unconditional(conditions: Conditions, empty: Tensor) -> Conditions:
    """The same numbers with the features (1, L, D) of no caption, and with no frame given."""
    everything = torch.ones(len(conditions.text), dtype=torch.bool)
    return leave_out_given(replace(conditions, text=empty.expand_as(conditions.text)), everything)
