"""Frames to one embedding each, in CLIP's space. The encoder is frozen and is never part of a checkpoint."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.functional import gaussian_blur, normalize

from training.hub import local_copy
from training.open_clip_blocks import BLOCKS, activation, encoder_layers

SIDE_PX = 224
KEY = "--model.image_encoder.init_args.path"
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]  # of CLIP, and of open_clip


class ImageEncoder(ABC):
    """A frozen image encoder; weights are loaded by `load`, not before."""

    located_by: tuple[str, ...] = ()
    """Arguments that only tell where local weights lie."""

    @abstractmethod
    def weights(self) -> Path | None:
        """Folder or file of the weights, if they are local."""

    @abstractmethod
    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """Loads the weights.

        Raises:
            ValueError: they cannot be had; names the setting and the way out.
        """

    @abstractmethod
    def encode(self, frames: Tensor) -> Tensor:
        """Embeddings of frames uint8 (B, H, W, 3) RGB: float32 (B, 1, D), not normalised."""


class ClipImage(ImageEncoder):
    """The vision tower of a CLIP in the layout of transformers, `CLIPVisionModelWithProjection`, as SVD ships it."""

    located_by = ("path", "subfolder")

    def __init__(self, path: str, subfolder: str = "") -> None:
        """Reads nothing yet.

        Args:
            path: folder or hub name.
            subfolder: where in it the encoder lies, `image_encoder` in SVD's.
        """
        self.path, self.subfolder = path, subfolder

    def weights(self) -> Path | None:
        """See `ImageEncoder`."""
        return local_copy(self.path, self.subfolder, KEY)

    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """See `ImageEncoder`."""
        try:
            model = self._read()
        except Exception as error:  # a hub, a cache, a file: each library raises its own
            raise ValueError(
                f"the image encoder {self.path!r} cannot be loaded ({' '.join(str(error).split())[:300]}). With no "
                f"network name a local folder: {KEY}=<folder>"
            ) from error
        if model.config.image_size != SIDE_PX:
            raise ValueError(f"the image encoder {self.path!r} sees {model.config.image_size} px, not {SIDE_PX}")
        self.model: Any = model.to(device, dtype).eval().requires_grad_(False)

    def _read(self) -> Any:
        from transformers import CLIPVisionModelWithProjection

        found: Any = CLIPVisionModelWithProjection.from_pretrained(self.weights(), output_loading_info=True)
        model, loaded = found
        if loaded["missing_keys"]:  # they would be random
            raise ValueError(f"its file lacks {len(loaded['missing_keys'])} of its weights")
        return model

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """See `ImageEncoder`."""
        pixels = frames.permute(0, 3, 1, 2).float() / 127.5 - 1  # (B, 3, H, W), -1..1
        seen = normalize((resized(pixels, SIDE_PX) + 1) / 2, MEAN, STD)  # (B, 3, 224, 224)
        return self.model(seen.to(self.model.device, self.model.dtype)).image_embeds.float()[:, None]  # (B, 1, D)


class OpenClipImage(ClipImage):
    """The vision tower of a local open_clip model, brought to the layout of transformers: a plain ViT with GELU."""

    located_by = ("path",)

    def __init__(self, path: str) -> None:
        """Reads nothing yet.

        Args:
            path: folder of the open_clip model.
        """
        super().__init__(path)

    def weights(self) -> Path | None:
        """See `ImageEncoder`."""
        folder = Path(self.path)
        return folder if folder.exists() else None

    def _read(self) -> Any:
        import open_clip

        model = open_clip.create_model(f"local-dir:{self.path}", require_pretrained=True)
        return as_transformers(model.visual)


def as_transformers(tower: Any) -> Any:
    """open_clip's `VisionTransformer` as transformers' `CLIPVisionModelWithProjection`; both give equal embeddings.

    Raises:
        ValueError: it has parts that the other cannot have.
    """
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    if tower.pool_type != "tok":
        raise ValueError(f"it takes {tower.pool_type!r} of its tokens, not the first")
    blocks, weights = tower.transformer.resblocks, tower.state_dict()
    width, embed_dim = weights["proj"].shape
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=blocks[0].mlp.c_fc.out_features,
        projection_dim=embed_dim,
        num_hidden_layers=len(blocks),
        num_attention_heads=blocks[0].attn.num_heads,
        image_size=tower.image_size[0],
        patch_size=tower.patch_size[0],
        hidden_act=activation(blocks[0]),
    )
    model = CLIPVisionModelWithProjection(config)
    told = model.load_state_dict(_renamed(weights), strict=False)
    if missing := [*told.unexpected_keys, *(name for name in told.missing_keys if "position_ids" not in name)]:
        raise ValueError(f"its layers are not those of a plain ViT, such as {missing[0]}")
    return model


OUTSIDE = {
    "class_embedding": "embeddings.class_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "ln_pre.weight": "pre_layrnorm.weight",
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """open_clip's names and tensors as transformers has them."""
    renamed = {f"vision_model.{name}": tensor for name, tensor in encoder_layers(weights).items()}
    renamed |= {"visual_projection.weight": weights["proj"].T.contiguous()}
    for name, tensor in weights.items():
        if name in OUTSIDE:
            renamed[f"vision_model.{OUTSIDE[name]}"] = tensor
        elif name != "proj" and not name.startswith(BLOCKS):
            renamed[name] = tensor  # told as unexpected
    return renamed


def resized(pixels: Tensor, side: int) -> Tensor:
    """Brought to a square as SVD's release does: blurred by how much smaller it gets, then bicubic, corners kept.

    Args:
        pixels: float (B, 3, H, W).
        side: pixels.

    Returns:
        (B, 3, side, side).
    """
    height, width = pixels.shape[-2:]
    sigmas = [max((length / side - 1) / 2, 0.001) for length in (width, height)]  # torchvision names x first
    kernels = [int(max(4 * sigma, 3)) | 1 for sigma in sigmas]  # odd
    return interpolate(gaussian_blur(pixels, kernels, sigmas), (side, side), mode="bicubic", align_corners=True)
