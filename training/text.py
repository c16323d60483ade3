"""Captions to features of their tokens. The text encoder is frozen and is never part of a checkpoint."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shards.store import read_json

HUB, LOCAL = "hf-hub:", "local-dir:"


class TextEncoder(ABC):
    """A frozen text encoder; weights are loaded by `load`, not before."""

    located_by: tuple[str, ...] = ()
    """Arguments that only tell where local weights lie: two encoders that differ in them alone give equal features."""

    def weights(self) -> Path | None:
        """Folder or file of the weights, if they are local: what a stage was trained with is told by its hash."""
        return None

    def length(self) -> int:
        """L as far as it is known without weights; CLIP's."""
        return 77

    @abstractmethod
    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """Loads the weights.

        Raises:
            ValueError: they cannot be had; names the setting and the way out.
        """

    @abstractmethod
    def encode(self, captions: Sequence[str]) -> Tensor:
        """Features of the tokens: float32 (B, L, D), L and D constants of the encoder."""


class OpenClipText(TextEncoder):
    """The text tower of an open_clip model."""

    def __init__(self, model: str, pretrained: str | None = None, skip_last: int = 0, projected: bool = False) -> None:
        """Reads nothing yet.

        Args:
            model: as open_clip names models: `ViT-H-14`, `hf-hub:<owner>/<name>`, `local-dir:<folder>`.
            pretrained: tag or file of the weights, where the name does not imply them.
            skip_last: blocks left out at the end; Stable Diffusion 2 and SVD leave out 1. Of all of them what is left
                is each token's own vector, at its place.
            projected: whether each token's features are brought to the space, and the width, of image embeddings.
        """
        self.model, self.pretrained, self.skip_last, self.projected = model, pretrained, skip_last, projected
        self.located_by = ("model",) if model.startswith(LOCAL) else ("pretrained",)

    def weights(self) -> Path | None:
        """See `TextEncoder`; what a hub holds is brought here, and where that fails `load` says why."""
        local = [Path(self.model.removeprefix(LOCAL)), Path(self.pretrained or "")]
        return next((path for path in local if path.name and path.exists()), None) or self._of_hub()

    def length(self) -> int:
        """See `TextEncoder`."""
        import open_clip

        folder = self.model.removeprefix(LOCAL)
        if folder != self.model and (config := Path(folder) / "open_clip_config.json").exists():
            known = read_json(config)["model_cfg"]
        else:
            known = open_clip.get_model_config(self.model) or {}
        return known.get("text_cfg", {}).get("context_length", super().length())

    def _of_hub(self) -> Path | None:
        """The file that open_clip loads."""
        from open_clip.pretrained import download_pretrained, download_pretrained_from_hf, get_pretrained_cfg

        try:
            if self.model.startswith(HUB):
                return Path(download_pretrained_from_hf(self.model.removeprefix(HUB)))
            fetched = download_pretrained(get_pretrained_cfg(self.model, self.pretrained or ""))
        except Exception:  # no network, no such name: each library raises its own
            return None
        return Path(fetched) if fetched else None

    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """See `TextEncoder`."""
        import open_clip

        try:
            model = open_clip.create_model(self.model, self.pretrained, require_pretrained=True)
            self._tokenizer = open_clip.get_tokenizer(self.model)
        except Exception as error:  # a hub, a cache, a file: each library raises its own
            raise ValueError(
                f"the text encoder {self.model!r} cannot be loaded ({' '.join(str(error).split())[:300]}). "
                "With no network name a local copy: --model.text.init_args.model=local-dir:<folder>"
            ) from error
        blocks = list(model.transformer.resblocks)  # pyright: ignore
        if not 0 <= self.skip_last <= len(blocks):
            raise ValueError(
                f"model.text.init_args.skip_last is {self.skip_last}; {self.model} has {len(blocks)} blocks"
            )
        for block in blocks[len(blocks) - self.skip_last :]:
            block.forward = _unchanged
        model.visual = torch.nn.Identity()  # the image tower is not needed
        self._device = device
        self.loaded: tuple[Any, Any] = model, self._tokenizer
        self._projection = model.text_projection if self.projected else None
        self._forward: Any = model.to(device, dtype).eval().requires_grad_(False).forward_intermediates

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> Tensor:
        """See `TextEncoder`."""
        tokens = self._tokenizer(list(captions)).to(self._device)  # (B, L)
        found = self._forward(text=tokens, text_indices=1, normalize_intermediates=True, intermediates_only=True)
        features = found["text_intermediates"][0]  # (B, L, D)
        return (features if self._projection is None else features @ self._projection).float()


def _unchanged(features: Tensor, *_: Any, **__: Any) -> Tensor:
    """What a block that is left out does."""
    return features
