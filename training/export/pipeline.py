"""Text to video with the U-Net of Stable Video Diffusion. Lies beside the weights; needs diffusers and transformers.

`DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder, trust_remote_code=True)("a dog runs on the beach")`
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLTemporalDecoder,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    UNetSpatioTemporalConditionModel,
)
from diffusers.pipelines.stable_video_diffusion import StableVideoDiffusionPipelineOutput
from diffusers.utils.torch_utils import randn_tensor
from diffusers.video_processor import VideoProcessor
from torch import Tensor
from transformers import CLIPTextModelWithProjection, PreTrainedModel, PreTrainedTokenizerBase

try:
    from ftfy import fix_text
except ImportError:  # captions of plain ASCII are the same without

    def fix_text(text: str) -> str:
        """The text as it is."""
        return text


class TextToVideoPipeline(DiffusionPipeline):
    """Samples videos of captions.

    Args:
        vae: frames to latents and back; `shift_factor` is heeded.
        text_encoder: captions to features, one a token; those of a model with projection are projected.
        tokenizer: fills captions to its `model_max_length`.
        unet: tells the velocity of latents, of features and of numbers.
        scheduler: its steps.
        sampling: what a call does where it says nothing, by the names of its arguments.
        micro: the numbers that the model is told, in order: each has `source`, `sampling` (its value where none is
            named), `offset` (added) and `scale` (a factor).
        clean_prompt: whether captions are mended as open_clip does: HTML entities and, where ftfy is installed, faulty
            or typographic characters.
    """

    model_cpu_offload_seq = "text_encoder->unet->vae"

    def __init__(
        self,
        vae: AutoencoderKL | AutoencoderKLTemporalDecoder,
        text_encoder: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        unet: UNetSpatioTemporalConditionModel,
        scheduler: EulerDiscreteScheduler,
        sampling: dict | None = None,
        micro: list | None = None,
        clean_prompt: bool = False,
    ) -> None:
        super().__init__()
        self.register_modules(vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet, scheduler=scheduler)
        self.register_to_config(sampling=sampling or {}, micro=micro or [], clean_prompt=clean_prompt)
        self.vae_scale_factor = 2 ** (len(vae.config["block_out_channels"]) - 1)
        self.video_processor = VideoProcessor(vae_scale_factor=self.vae_scale_factor)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        height: int | None = None,
        width: int | None = None,
        num_frames: int | None = None,
        num_inference_steps: int | None = None,
        min_guidance_scale: float | None = None,
        max_guidance_scale: float | None = None,
        fps: float | None = None,
        motion_bucket_id: float | None = None,
        scores: Mapping[str, float] | None = None,
        decode_chunk_size: int | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: Tensor | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """Samples a video a caption; what is None is as the model was made to sample.

        Args:
            prompt: the captions; one alone makes one video.
            height: pixels; the width too.
            width: see above.
            num_frames: at least 2.
            num_inference_steps: calls of the U-Net.
            min_guidance_scale: of the first frame; 1 is no guidance.
            max_guidance_scale: of the last frame; between them it rises evenly.
            fps: frames a second that the model is told.
            motion_bucket_id: the motion that it is told, 0..255.
            scores: others that it is told, by their names.
            decode_chunk_size: frames that the VAE decodes at once.
            generator: of the noise; a list has one a video.
            latents: the noise itself, (B, T, C, h, w) of variance 1.
            output_type: "pil", "np", "pt" or "latent".
            return_dict: else a tuple of the frames alone.

        Returns:
            `frames`: B lists of T pictures, or (B, T, H, W, 3) 0..1, or (B, T, 3, H, W) 0..1, or (B, T, C, h, w).

        Raises:
            ValueError: a size that the VAE cannot give, fewer than 2 frames, or a number that the model is not told.
        """
        asked = {
            "height": height,
            "width": width,
            "num_frames": num_frames,
            "num_inference_steps": num_inference_steps,
            "min_guidance_scale": min_guidance_scale,
            "max_guidance_scale": max_guidance_scale,
            "decode_chunk_size": decode_chunk_size,
        }
        chosen = {**self.config["sampling"], **{name: value for name, value in asked.items() if value is not None}}
        numbers = self._numbers(fps, motion_bucket_id, scores or {})
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        noise = latents if latents is not None else self._noise(len(prompts), chosen, generator)
        found = self._denoise(prompts, numbers, noise.to(self._execution_device, torch.float32), chosen)
        frames = found if output_type == "latent" else self._decode(found, chosen["decode_chunk_size"], output_type)
        self.maybe_free_model_hooks()
        return StableVideoDiffusionPipelineOutput(frames=frames) if return_dict else (frames,)

    def _numbers(self, fps: float | None, motion: float | None, scores: Mapping[str, float]) -> list[float]:
        """What the model is told beside the caption, scaled."""
        named = {"fps": fps, "motion_bucket": motion} | {f"scores.{name}": value for name, value in scores.items()}
        named = {source: value for source, value in named.items() if value is not None}
        sources = [each["source"] for each in self.config["micro"]]
        if unknown := sorted(named.keys() - set(sources)):
            raise ValueError(f"the model is not told {', '.join(unknown)}, only {', '.join(sources)}")
        return [_number(each, {"fps": self.config["sampling"]["fps"], **named}) for each in self.config["micro"]]

    def _noise(self, batch: int, chosen: Mapping[str, Any], generator: Any) -> Tensor:
        """(B, T, C, h, w) float32 of variance 1."""
        num_frames, height, width = chosen["num_frames"], chosen["height"], chosen["width"]
        factor = self.vae_scale_factor
        if height % factor or width % factor:
            raise ValueError(f"height and width must be multiples of {factor}, not {height} and {width}")
        if num_frames < 2:
            raise ValueError(f"num_frames is {num_frames}: it must be at least 2")
        shape = (batch, num_frames, self.unet.config["in_channels"], height // factor, width // factor)
        return randn_tensor(shape, generator=generator, device=self._execution_device, dtype=torch.float32)

    def _denoise(self, prompts: list[str], numbers: list[float], noise: Tensor, chosen: Mapping[str, Any]) -> Tensor:
        """(B, T, C, h, w) float32 latents."""
        first, last = chosen["min_guidance_scale"], chosen["max_guidance_scale"]
        weights = torch.linspace(first, last, noise.shape[1], device=noise.device)[:, None, None, None]  # (T, 1, 1, 1)
        guided = bool((weights != 1).any())
        text = self._features([""] * len(prompts) + prompts if guided else prompts)  # (B or 2 B, L, D)
        told = torch.tensor([numbers] * len(text), dtype=torch.float32, device=text.device)
        self.scheduler.set_timesteps(chosen["num_inference_steps"], device=noise.device)
        latents = noise * self.scheduler.init_noise_sigma
        for timestep in self.progress_bar(self.scheduler.timesteps):  # pyright: ignore[reportGeneralTypeIssues, reportCallIssue]
            noisy = self.scheduler.scale_model_input(latents, timestep).to(text.dtype)
            noisy = torch.cat([noisy, noisy]) if guided else noisy
            velocity = self.unet(noisy, timestep, text, told, return_dict=False)[0].float()
            if guided:
                without, velocity = velocity.chunk(2)
                velocity = without + weights * (velocity - without)
            latents = self.scheduler.step(velocity, timestep, latents, return_dict=False)[0]
        return latents

    def _features(self, prompts: list[str]) -> Tensor:
        """(B, L, D), in the type of the U-Net."""
        if self.config["clean_prompt"]:
            prompts = [html.unescape(html.unescape(fix_text(prompt))).strip() for prompt in prompts]
        tokens = self.tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        features = self.text_encoder(input_ids=tokens.to(self._execution_device)).last_hidden_state
        if isinstance(self.text_encoder, CLIPTextModelWithProjection):
            features = self.text_encoder.text_projection(features)
        return features.to(self.unet.dtype)

    def _decode(self, latents: Tensor, chunk: int, output_type: str) -> Any:
        """Frames of latents; the temporal decoder looks at `chunk` of one video together."""
        config = self.vae.config
        latents = (latents / config["scaling_factor"] + (config.get("shift_factor") or 0.0)).to(self.vae.dtype)
        sees_time = isinstance(self.vae, AutoencoderKLTemporalDecoder)
        pixels = [
            self.vae.decode(part, **({"num_frames": len(part)} if sees_time else {})).sample.float()
            for video in latents
            for part in video.split(chunk)
        ]
        videos = torch.cat(pixels).unflatten(0, latents.shape[:2]).transpose(1, 2)  # (B, 3, T, H, W), -1..1
        return self.video_processor.postprocess_video(videos, output_type=output_type)


def _number(micro: Mapping[str, Any], named: Mapping[str, float]) -> float:
    if micro["source"] == "zero":
        return 0.0
    return micro["scale"] * (named.get(micro["source"], micro["sampling"]) + micro["offset"])
