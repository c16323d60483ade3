"""Writes a finished stage as others read it: a folder of diffusers' `StableVideoDiffusionPipeline`, in safetensors."""

import copy
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from shards.store import write_json
from training.codec import DiffusersCodec
from training.conditioning import FPS, MOTION, NOISE, Micro
from training.config import Stage, build_stage
from training.denoisers.svd_unet import SvdUnet
from training.fit import check_frozen, load_weights
from training.image_encoder import MEAN, STD, ClipImage
from training.module import StageModule
from training.objective.noise import IndependentNoise
from training.objective.preconditioning import VPreconditioning
from training.run import Run
from training.sampler import EulerSampler

TOLD = (Micro(FPS, offset=-1), Micro(MOTION), Micro(NOISE))
"""The numbers that the pipeline passes."""


def export(run: Run, folder: Path, arguments: list[str]) -> Iterator[str]:
    """Writes the averaged weights of a finished stage, with all that sampling needs.

    Args:
        run: its folder.
        folder: new; whole or not there.
        arguments: of the command line, win over the configuration of the run.

    Yields:
        What was written, and how it is used, in lines.

    Raises:
        ValueError: something stands there, or the stage has no such form; names why.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists: name another (--out)")
    stage = build_stage([run.config], arguments)
    if reasons := list(misfits(stage.model)):
        raise ValueError(
            f"stage {run.stage} cannot be a StableVideoDiffusionPipeline of diffusers: {'; '.join(reasons)}"
        )
    check_frozen(run, stage.model)
    load_weights(stage, run.ema_weights)
    stage.model.load_frozen(torch.device("cpu"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        whole = Path(temporary) / "pipeline"
        pipeline(stage.model).save_pretrained(whole)
        write_json(whole / "rushes.json", _origin(stage, run))
        os.rename(whole, folder)
    yield f"stage {run.stage} is now {folder}"
    yield _usage(stage, folder)


def misfits(model: StageModule) -> Iterator[str]:
    """What of a stage the pipeline does otherwise, whatever its weights are."""
    given, told = model.conditioning.given, tuple(replace(each, sampling=0.0) for each in model.conditioning.micro)
    if given is None or given.frames != "first" or not given.embedding:
        yield "it gives the model the first frame and that one's embedding (model.conditioning.given)"
    if told != TOLD:
        yield "it tells fps - 1, the motion bucket and the noise, in this order (model.conditioning.micro)"
    for part, kind in (("denoiser", SvdUnet), ("codec", DiffusersCodec), ("image_encoder", ClipImage)):
        if not isinstance(getattr(model, part), kind):
            yield f"model.{part} is no {kind.__name__}"
    if not isinstance(model.objective.preconditioning, VPreconditioning):
        yield "it takes the network's output for v (model.objective.preconditioning)"
    if not isinstance(model.objective.noise, IndependentNoise):
        yield "it starts from independent noise (model.objective.noise)"
    if not isinstance(model.sampler, EulerSampler) or model.sampler.rho != 7:
        yield "it takes Euler's steps with rho 7 (model.sampler)"


def pipeline(model: StageModule) -> Any:
    """diffusers' pipeline of a stage whose parts are loaded."""
    from diffusers import StableVideoDiffusionPipeline
    from transformers import CLIPImageProcessor

    assert isinstance(model.denoiser, SvdUnet)
    assert isinstance(model.codec, DiffusersCodec) and isinstance(model.image_encoder, ClipImage)
    return StableVideoDiffusionPipeline(
        vae=without_shift(model.codec.model),
        image_encoder=model.image_encoder.model,
        unet=model.denoiser.unet,
        scheduler=scheduler(model),
        feature_extractor=CLIPImageProcessor(image_mean=MEAN, image_std=STD),
    )


def without_shift(autoencoder: Any) -> Any:
    """A copy that decodes latents which were scaled only, as the pipeline hands them over, to the same frames.

    The shift goes into the bias of the first convolution, 1x1: `W (z + shift) + b = W z + (b + W shift)`. What it
    encodes stays: the pipeline takes the given frame's latents neither scaled nor shifted.

    Raises:
        ValueError: its decoder begins with a padded convolution, whose edges see no shift.
    """
    shift = autoencoder.config.get("shift_factor") or 0.0
    if not shift:
        return autoencoder
    autoencoder = copy.deepcopy(autoencoder)
    first = autoencoder.post_quant_conv
    if first is None:
        raise ValueError("the pipeline knows no shift_factor, and this autoencoder has no post_quant_conv to hold it")
    with torch.no_grad():
        first.bias += first.weight.sum(dim=(1, 2, 3)) * shift
    autoencoder.register_to_config(shift_factor=None)
    return autoencoder


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


def _origin(stage: Stage, run: Run) -> dict[str, Any]:
    """Where the weights came from."""
    return {"stage": run.stage, "record": run.record, "frames": str(stage.data.bucket), "fps": stage.data.sampling_fps}


def _usage(stage: Stage, folder: Path) -> str:
    """The call that samples as `make sample IMAGE=` does."""
    model, bucket = stage.model, stage.data.bucket
    given, motion = model.conditioning.given, model.conditioning.micro[1].sampling
    assert given is not None
    weights = model.guidance.weights(bucket.num_frames, 0, model.sampler.num_steps)
    is_same = weights[-1] > 1 and torch.allclose(torch.linspace(weights[0], weights[-1], len(weights)), weights)
    differs = "" if is_same else "  # its guidance differs from the stage's own"
    return (
        f'StableVideoDiffusionPipeline.from_pretrained("{folder}")(image, height={bucket.height}, '
        f"width={bucket.width}, num_frames={bucket.num_frames}, num_inference_steps={model.sampler.num_steps}, "
        f"min_guidance_scale={weights[0]:g}, max_guidance_scale={weights[-1]:g}, "
        f"fps={stage.data.sampling_fps:g}, motion_bucket_id={motion:g}, noise_aug_strength={given.sampling_noise:g})"
        f"{differs}"
    )
