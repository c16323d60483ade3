"""What every form of an exported stage shares: the network, its noise levels and its steps, as diffusers has them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.codec import DiffusersCodec
from training.config import Stage
from training.denoisers.svd_unet import SvdUnet
from training.module import StageModule
from training.objective.noise import IndependentNoise
from training.objective.preconditioning import VPreconditioning
from training.sampler import EulerSampler


class Form(ABC):
    """What stages of one kind become: a pipeline that samples the same frames from the same noise."""

    name: str
    """For messages."""

    def misfits(self, stage: Stage) -> Iterator[str]:
        """What of a stage the pipeline does otherwise, whatever its weights are."""
        model = stage.model
        yield from misplaced(model, denoiser=SvdUnet, codec=DiffusersCodec)
        if not isinstance(model.objective.preconditioning, VPreconditioning):
            yield "it takes the network's output for v (model.objective.preconditioning)"
        if not isinstance(model.objective.noise, IndependentNoise):
            yield "it starts from independent noise (model.objective.noise)"
        if not isinstance(model.sampler, EulerSampler) or model.sampler.rho != 7:
            yield (
                "it takes Euler's steps with rho 7 (model.sampler; to sample otherwise than the stage: "
                "--model.sampler training.sampler.EulerSampler --model.sampler.rho 7)"
            )

    @abstractmethod
    def write(self, stage: Stage, folder: Path) -> None:
        """Writes the pipeline of a stage whose parts are loaded into a new folder.

        Raises:
            ValueError: its frozen parts have no such form; names why.
        """

    @abstractmethod
    def call(self, stage: Stage, folder: Path) -> str:
        """The call that samples as `make sample` does."""


def misplaced(model: StageModule, **kinds: type | tuple[type, ...]) -> Iterator[str]:
    """Says which of the named parts are of another kind."""
    for part, kind in kinds.items():
        if not isinstance(getattr(model, part), kind):
            names = [each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,))]
            yield f"model.{part} is no {' or '.join(names)}"


def scheduler(model: StageModule) -> Any:
    """diffusers' Euler steps over the noise levels of the stage's own sampler."""
    from diffusers import EulerDiscreteScheduler

    return EulerDiscreteScheduler(
        prediction_type="v_prediction",
        timestep_type="continuous",
        timestep_spacing="leading",  # starts as ours, from noise of variance 1 + sigma_max^2
        use_karras_sigmas=True,
        sigma_min=model.sampler.sigma_min,
        sigma_max=model.sampler.sigma_max,
    )


def weight_range(stage: Stage) -> tuple[Tensor, bool]:
    """Guidance of the first step, (T,), and whether it lies on a line over the frames and is that of every step."""
    num_steps, num_frames = stage.model.sampler.num_steps, stage.data.bucket.num_frames
    weights = [stage.model.guidance.weights(num_frames, step, num_steps) for step in range(num_steps)]
    line = torch.linspace(weights[0][0], weights[0][-1], num_frames)
    return weights[0], all(torch.allclose(each, line) for each in weights)
