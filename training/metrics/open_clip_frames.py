"""A CLIP that looks at frames and reads captions; shared by the metrics that are cosines of its embeddings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from training.text import LOCAL, OpenClipText

BATCH_SIZE = 64


@dataclass(frozen=True)
class OpenClip:
    """An open_clip model, by the names that `OpenClipText` takes."""

    model: str
    """`ViT-B-32`, `hf-hub:<owner>/<name>`, or `local-dir:<folder>`."""
    pretrained: str | None = None
    """Tag or file of the weights, where the name does not imply them."""

    def __str__(self) -> str:
        """For protocols: the name, without where a local folder lies."""
        name = Path(self.model).name if self.model.startswith(LOCAL) else self.model
        told = filter(None, [f"CLIP {name}", self.pretrained and Path(self.pretrained).name])
        return f"{' '.join(told)} with its own preprocessing"

    def weights(self) -> Path | None:
        """Folder or file of the weights, if they are local."""
        return OpenClipText(self.model, self.pretrained).weights()

    def load(self, device: torch.device) -> "LoadedClip":
        """Loads the model, once for all metrics of a process that name it.

        Raises:
            ValueError: it cannot be had; says the way out.
        """
        return _loaded(self, device)


@dataclass(frozen=True)
class LoadedClip:
    """A frozen CLIP on its device."""

    network: Any
    preprocess: Callable[[Image.Image], Tensor]
    tokenizer: Callable[[list[str]], Tensor]
    device: torch.device

    @torch.inference_mode()
    def frames(self, frames: Tensor) -> Tensor:
        """Unit embeddings of frames uint8 (B, T, H, W, 3) RGB: float32 (B, T, D), by the model's own preprocessing."""
        pictures = frames.flatten(0, 1).cpu().numpy()  # (B*T, H, W, 3)
        parts = np.array_split(pictures, max(1, -(-len(pictures) // BATCH_SIZE)))
        seen = [torch.stack([self.preprocess(Image.fromarray(each)) for each in part]) for part in parts]
        embedded = [self.network.encode_image(part.to(self.device)).float() for part in seen]
        return normalize(torch.cat(embedded), dim=-1).unflatten(0, frames.shape[:2])

    @torch.inference_mode()
    def captions(self, captions: Sequence[str]) -> Tensor:
        """Unit embeddings of B captions: float32 (B, D)."""
        tokens = self.tokenizer(list(captions)).to(self.device)
        return normalize(self.network.encode_text(tokens).float(), dim=-1)


@lru_cache(maxsize=2)
def _loaded(which: OpenClip, device: torch.device) -> LoadedClip:
    import open_clip

    try:
        network, _, preprocess = open_clip.create_model_and_transforms(
            which.model, which.pretrained, require_pretrained=True
        )
        tokenizer = open_clip.get_tokenizer(which.model)
    except Exception as error:  # a hub, a cache, a file: each library raises its own
        words = " ".join(str(error).split())[:300]
        raise ValueError(
            f"needs the CLIP {which.model!r}, which cannot be loaded ({words}). With no network name a local copy: "
            "`model: local-dir:<folder>`"
        ) from error
    frozen = network.to(device).eval().requires_grad_(False)
    return LoadedClip(frozen, preprocess, tokenizer, device)  # pyright: ignore[reportArgumentType]
