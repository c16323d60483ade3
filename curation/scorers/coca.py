"""Captions of the middle frame by CoCa (arXiv 2205.01917) through open_clip, as Stable Video Diffusion makes them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.caption_text import NoCaption
from curation.captioner import NO_FRAME, Captioner, Writer
from curation.next_token import Decoding, NextToken
from curation.open_clip_model import check_open_clip, load_open_clip, weights_file
from curation.scorer import Frames

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Coca(Captioner):
    """Any CoCa that open_clip can load."""

    model: str = "coca_ViT-L-14"
    """`coca_ViT-L-14`, `hf-hub:<owner>/<name>` or `local-dir:<folder>`, as open_clip names models."""
    pretrained: str | None = None
    """Tag or file of the weights, where the model name does not imply them."""
    source: str = "coca"
    """Name of this source of captions; the column is `caption_<source>`."""
    decoding: Decoding = Decoding(max_tokens=30)
    """How words are picked."""
    batch_size: int = 64
    """Frames at once; halved when memory runs out."""

    def prepare(self) -> None:
        """Sees that the weights can be had, before any work starts; downloads them where they come from a hub.

        Raises:
            ValueError: they cannot be had, or they are of no CoCa; names the key and the way out.
        """
        _need_coca(self.model, check_open_clip(self.model, self.pretrained))

    def weights(self) -> Mapping[str, Path | None]:
        """The checkpoint; None while it is not on this machine."""
        return weights_file(self.model, self.pretrained)

    def load(self) -> Writer:
        """Loads model and tokenizer."""
        import open_clip

        model, preprocess = load_open_clip(self.model, self.pretrained, self.device)
        return _CocaWriter(self, model, preprocess, open_clip.get_tokenizer(self.model))


def _need_coca(name: str, architecture: dict) -> None:
    if "multimodal_cfg" not in architecture or architecture.get("text_cfg", {}).get("hf_tokenizer_name"):
        raise ValueError(f"model {name!r} is no CoCa with CLIP's tokenizer, and writes no captions; coca_ViT-L-14 does")


class _CocaWriter(Writer):
    """A loaded CoCa."""

    def __init__(self, config: Coca, model: Any, preprocess: Any, tokenizer: Any) -> None:
        self._config, self._model, self._preprocess, self._tokenizer = config, model, preprocess, tokenizer
        self._ends = {tokenizer.eot_token_id, model.pad_id}

    def subject(self, clip: dict, frames: Frames) -> np.ndarray:
        if not frames:
            raise NoCaption(NO_FRAME)
        return frames[len(frames) // 2][1]

    def write(self, subjects: Sequence[np.ndarray], clip_ids: Sequence[str]) -> list[tuple[str, bool]]:
        import torch
        from PIL import Image

        images = torch.stack([self._preprocess(Image.fromarray(picture)) for picture in subjects])  # (B, 3, H, W)
        with torch.inference_mode():
            tokens = self._tokens(images.to(self._config.device), NextToken(self._config.decoding, clip_ids))
        return [self._text(row) for row in tokens.tolist()]

    def _tokens(self, images: "Tensor", next_token: NextToken) -> "Tensor":
        """Tokens of each caption, int64 (B, T); a row that has ended goes on with padding.

        open_clip's own `generate` needs parts of transformers that version 5 no longer has.
        """
        import torch

        seen, pad = self._model(images), self._model.pad_id
        seen = {"image_latent": seen["image_features"], "image_embs": seen["image_embs"]}
        tokens = torch.full((len(images), 1), self._tokenizer.sot_token_id, device=images.device)  # (B, 1)
        ended = torch.zeros(len(images), dtype=torch.bool, device=images.device)  # (B,)
        for _ in range(min(self._config.decoding.max_tokens, self._model.context_length)):
            logits = self._model(None, tokens, **seen, output_labels=False)["logits"][:, -1]  # (B, V)
            picked = torch.where(ended, pad, next_token(logits))  # (B,)
            tokens = torch.cat([tokens, picked[:, None]], dim=1)  # (B, T + 1)
            ended |= torch.isin(picked, torch.tensor(sorted(self._ends), device=picked.device))
            if ended.all():
                break
        return tokens[:, 1:]

    def _text(self, tokens: list[int]) -> tuple[str, bool]:
        end = next((place for place, token in enumerate(tokens) if token in self._ends), None)
        text = self._tokenizer.decode(tokens[:end])
        return re.sub(r" +([.,!?;:])", r"\1", text), end is not None  # CLIP's tokens put a space before each mark
