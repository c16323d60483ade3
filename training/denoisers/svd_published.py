"""Published U-Nets that `SvdUnet` can start from: Stable Diffusion's for images, Stable Video Diffusion's.

Owns their layouts, and what must agree beside the shapes of their weights.
"""

from collections.abc import Mapping
from typing import Any

from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from torch import Tensor

LDM = "model.diffusion_model."
OF_VIDEO = "time_stack"
KINDS = {"UNet2DConditionModel", "UNetSpatioTemporalConditionModel"}
FIXED = {"act_fn": "silu", "flip_sin_to_cos": True, "freq_shift": 0, "norm_num_groups": 32}


def from_ldm(weights: Mapping[str, Tensor], layers_per_block: int) -> Mapping[str, Tensor]:
    """Weights of an image U-Net in diffusers' layout.

    Args:
        weights: a single file's: in the layout of latent diffusion (`model.diffusion_model.*`, beside which other
            models may lie), or already in diffusers'.
        layers_per_block: residual blocks at each level.

    Raises:
        ValueError: it is a video U-Net in the layout of generative-models, which diffusers cannot convert.
    """
    ours = {name: weight for name, weight in weights.items() if name.startswith(LDM)}
    if not ours:
        return weights
    if any(OF_VIDEO in name for name in ours):
        raise ValueError(
            "it is a video U-Net in the layout of generative-models (svd.safetensors): take the diffusers folder of "
            "the same model, which has unet/config.json"
        )
    converted = convert_ldm_unet_checkpoint(ours, {"layers_per_block": layers_per_block})
    used = {weight.data_ptr() for weight in converted.values()}
    return converted | {name: weight for name, weight in ours.items() if weight.data_ptr() not in used}


def check_config(published: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Sees that two U-Nets mean the same by weights of equal shapes.

    Args:
        published: configuration of a U-Net of diffusers, for images or videos.
        own: configuration of the `UNetSpatioTemporalConditionModel` that takes its weights.

    Raises:
        ValueError: they do not; names both values.
    """
    kind = published.get("_class_name")
    if kind not in KINDS:
        raise ValueError(f"it is a {kind}; SvdUnet takes {' or '.join(sorted(KINDS))}")
    for key, value in FIXED.items():
        if published.get(key, value) != value:
            raise ValueError(f"it has {key} {published[key]!r}, SvdUnet {value!r}")
    # of image U-Nets diffusers calls the number of heads `attention_head_dim`
    heads = published.get("num_attention_heads") or published.get("attention_head_dim", 8)
    levels = len(own["block_out_channels"])
    theirs, ours = (_each(number, levels) for number in (heads, own["num_attention_heads"]))
    if theirs != ours:
        raise ValueError(
            f"it has {theirs} attention heads, set model.denoiser.init_args.num_attention_heads, now {ours}"
        )


def _each(number: Any, levels: int) -> list[int]:
    return [number] * levels if isinstance(number, int) else list(number)
