"""An image-to-video stage as diffusers' own `StableVideoDiffusionPipeline`."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from training.codec import DiffusersCodec
from training.conditioning import FPS, MOTION, NOISE, Micro
from training.config import Stage
from training.denoisers.svd_unet import SvdUnet
from training.export.form import Form, misplaced, scheduler, weight_range
from training.image_encoder import MEAN, STD, ClipImage

TOLD = (Micro(FPS, offset=-1), Micro(MOTION), Micro(NOISE))
"""The numbers that the pipeline passes."""


class ImageToVideo(Form):
    """See `Form`."""

    name = "a StableVideoDiffusionPipeline of diffusers"

    def misfits(self, stage: Stage) -> Iterator[str]:
        """See `Form`."""
        conditioning = stage.model.conditioning
        given, told = conditioning.given, tuple(replace(each, sampling=0.0) for each in conditioning.micro)
        if given is None or given.frames != "first" or not given.embedding:
            yield "it gives the model the first frame and that one's embedding (model.conditioning.given)"
        if told != TOLD:
            yield "it tells fps - 1, the motion bucket and the noise, in this order (model.conditioning.micro)"
        yield from misplaced(stage.model, image_encoder=ClipImage)
        yield from super().misfits(stage)

    def write(self, stage: Stage, folder: Path) -> None:
        """See `Form`."""
        from diffusers import StableVideoDiffusionPipeline
        from transformers import CLIPImageProcessor

        model = stage.model
        assert isinstance(model.denoiser, SvdUnet)
        assert isinstance(model.codec, DiffusersCodec) and isinstance(model.image_encoder, ClipImage)
        StableVideoDiffusionPipeline(
            vae=without_shift(model.codec.model),
            image_encoder=model.image_encoder.model,
            unet=model.denoiser.unet,
            scheduler=scheduler(model),
            feature_extractor=CLIPImageProcessor(image_mean=MEAN, image_std=STD),
        ).save_pretrained(folder)

    def call(self, stage: Stage, folder: Path) -> str:
        """See `Form`: with `IMAGE=`."""
        model, bucket = stage.model, stage.data.bucket
        given, motion = model.conditioning.given, model.conditioning.micro[1].sampling
        assert given is not None
        weights, is_line = weight_range(stage)
        differs = "" if is_line and weights[-1] > 1 else "  # its guidance differs from the stage's own"
        return (
            f'StableVideoDiffusionPipeline.from_pretrained("{folder}")(image, height={bucket.height}, '
            f"width={bucket.width}, num_frames={bucket.num_frames}, num_inference_steps={model.sampler.num_steps}, "
            f"min_guidance_scale={weights[0]:g}, max_guidance_scale={weights[-1]:g}, "
            f"fps={stage.data.sampling_fps:g}, motion_bucket_id={motion:g}, "
            f"noise_aug_strength={given.sampling_noise:g}){differs}"
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
