"""Captions to features by a text encoder of transformers: CLIP's as Stable Diffusion ships it, T5, and others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.hub import local_copy
from training.text import TextEncoder

PATH = "--model.text.init_args.path"
ENDLESS = 100_000  # what a tokenizer says of itself where nobody told it the length


class TransformersText(TextEncoder):
    """Features of the last layer, after its norm where the model has one; padding counts as text, as in diffusers."""

    located_by = ("path", "subfolder", "tokenizer")

    def __init__(
        self,
        path: str,
        subfolder: str = "",
        tokenizer: str | None = None,
        max_length: int | None = None,
        skip_last: int = 0,
    ) -> None:
        """Reads nothing yet.

        Args:
            path: folder or hub name of the model, or of a diffusers pipeline that holds it.
            subfolder: where in it the encoder lies, e.g. `text_encoder`.
            tokenizer: where in it the tokenizer lies; by default `tokenizer` beside a subfolder, else with the encoder.
            max_length: L, tokens; by default as many as the tokenizer says.
            skip_last: layers left out at the end. Stable Diffusion 2.1 leaves out 1 of the 24 of its CLIP; the encoder
                in its own diffusers folder has 23, so there it is 0.
        """
        self.path, self.subfolder, self.max_length, self.skip_last = path, subfolder, max_length, skip_last
        self.tokenizer = tokenizer if tokenizer is not None else "tokenizer" if subfolder else ""

    def weights(self) -> Path:
        """See `TextEncoder`; what a hub holds is brought here."""
        return self._local(self.subfolder)

    def length(self) -> int:
        """See `TextEncoder`."""
        return self.max_length or super().length()

    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """See `TextEncoder`."""
        from transformers import AutoTokenizer

        folder, words = self.weights(), self._local(self.tokenizer)
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(words, local_files_only=True)
            model = self._load(folder, dtype)
        except Exception as error:  # a cache, a file: each library raises its own
            raise ValueError(
                f"the text encoder in {folder} cannot be loaded ({' '.join(str(error).split())[:300]}); see {PATH}"
            ) from error
        self._tokenizer.model_max_length = self._limit(model)
        self._device, self._model = device, model.to(device).eval().requires_grad_(False)
        self.loaded: tuple[Any, Any] = self._model, self._tokenizer

    def _local(self, subfolder: str) -> Path:
        try:
            return local_copy(self.path, subfolder, PATH)
        except ValueError as error:
            raise ValueError(f"the text encoder {self.path!r} cannot be loaded: {error}") from error

    def _load(self, folder: Path, dtype: torch.dtype) -> Any:
        """The encoder alone, without the layers that are skipped: what follows them then reads the last one kept."""
        from transformers import AutoConfig, AutoModelForTextEncoding

        whole = AutoConfig.from_pretrained(folder, local_files_only=True)
        config = whole.get_text_config(encoder=True)
        if not 0 <= self.skip_last < config.num_hidden_layers:
            raise ValueError(f"skip_last is {self.skip_last}, and it has {config.num_hidden_layers} layers")
        config.num_hidden_layers -= self.skip_last
        model, loaded = AutoModelForTextEncoding.from_pretrained(
            folder, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True, local_files_only=True
        )
        if loaded["missing_keys"]:
            raise ValueError(f"its file lacks {len(loaded['missing_keys'])} of its weights")
        return model

    def _limit(self, model: Any) -> int:
        """Tokens of a caption, no more than the model has positions for."""
        positions = getattr(model.config, "max_position_embeddings", None) or ENDLESS
        length = self.max_length or min(self._tokenizer.model_max_length, positions)
        if not 0 < length <= positions or length >= ENDLESS:
            limit = f"1 to {positions}" if positions < ENDLESS else "the tokenizer names none"
            raise ValueError(f"model.text.init_args.max_length is {self.max_length}: set it ({limit})")
        return length

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> Tensor:
        """See `TextEncoder`."""
        tokens = self._tokenizer(
            list(captions), padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids.to(self._device)  # (B, L)
        return self._model(input_ids=tokens).last_hidden_state.float()  # (B, L, D)
