"""A text-to-video stage as components of diffusers and transformers, with a pipeline of ours that needs only those."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shards.store import read_json, write_json
from training.codec import DiffusersCodec
from training.conditioning import MOTION, NONE
from training.config import Stage
from training.denoisers.svd_unet import SvdUnet
from training.export import pipeline as shipped
from training.export.clip_text import clip_text
from training.export.form import Form, misplaced, scheduler, weight_range
from training.text import OpenClipText
from training.text_transformers import TransformersText


class TextToVideo(Form):
    """See `Form`."""

    name = "a text-to-video pipeline for diffusers"

    def misfits(self, stage: Stage) -> Iterator[str]:
        """See `Form`."""
        if stage.model.conditioning.captions == NONE:
            yield "it tells the model a caption (model.conditioning.captions)"
        if stage.data.bucket.is_image:
            yield "it makes videos, and the stage makes pictures (data.buckets)"
        yield from misplaced(stage.model, text=(OpenClipText, TransformersText))
        yield from super().misfits(stage)
        if not weight_range(stage)[1]:
            yield (
                "its guidance is alike at every step, and lies on a line from the first frame to the last "
                "(model.guidance; to guide otherwise than the stage: --model.guidance training.guidance.LinearGuidance)"
            )

    def write(self, stage: Stage, folder: Path) -> None:
        """See `Form`: with `pipeline.py`."""
        model = stage.model
        assert isinstance(model.denoiser, SvdUnet) and isinstance(model.codec, DiffusersCodec)
        assert isinstance(model.text, OpenClipText | TransformersText)
        text_encoder, tokenizer = clip_text(model.text) if isinstance(model.text, OpenClipText) else model.text.loaded
        shipped.TextToVideoPipeline(
            vae=model.codec.model,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=model.denoiser.unet,
            scheduler=scheduler(model),
            sampling=sampling_settings(stage),
            micro=[asdict(micro) for micro in model.conditioning.micro],
            clean_prompt=isinstance(model.text, OpenClipText),
        ).save_pretrained(folder)
        shutil.copyfile(shipped.__file__, folder / "pipeline.py")
        index = read_json(folder / "model_index.json")  # says where the class is, so that it need not be named
        write_json(folder / "model_index.json", index | {"_class_name": ["pipeline", index["_class_name"]]})

    def call(self, stage: Stage, folder: Path) -> str:
        """See `Form`: with `CAPTION=`. What it leaves out is as the stage samples."""
        settings = [f"{name}={value:g}" for name, value in sampling_settings(stage).items()]
        told = stage.model.conditioning.micro
        settings += [f"motion_bucket_id={each.sampling:g}" for each in told if each.source == MOTION]
        caption = next(iter(stage.watch.captions), "a dog runs on the beach")
        loaded = f'DiffusionPipeline.from_pretrained("{folder}", custom_pipeline="{folder}", trust_remote_code=True)'
        return f"{loaded}({json.dumps(caption, ensure_ascii=False)})  # {', '.join(settings)}"


def sampling_settings(stage: Stage) -> dict[str, Any]:
    """What the pipeline does where its call says nothing, by the names of its arguments."""
    model, bucket = stage.model, stage.data.bucket
    assert isinstance(model.codec, DiffusersCodec)
    weights, _ = weight_range(stage)
    return {
        "height": bucket.height,
        "width": bucket.width,
        "num_frames": bucket.num_frames,
        "num_inference_steps": model.sampler.num_steps,
        "min_guidance_scale": float(weights[0]),
        "max_guidance_scale": float(weights[-1]),
        "fps": stage.data.sampling_fps,
        "decode_chunk_size": model.codec.batch_size,
    }
