"""How a model that writes captions picks its words: always the likeliest, or by chance among the likeliest ones.

Chance comes from the clip alone, so that a caption does not depend on which clips shared a batch, or on the worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Decoding:
    """How words are picked."""

    max_tokens: int = 64
    """Tokens of a caption at most."""
    top_p: float | None = None
    """Draws among the likeliest tokens that together have this probability, e.g. 0.9; null takes the likeliest."""
    temperature: float = 1.0
    """Below 1 favours the likely ones more; counts where tokens are drawn."""
    seed: int = 0
    """Another one draws other captions."""

    def __post_init__(self) -> None:
        """Refuses what cannot be meant.

        Raises:
            ValueError: names the key.
        """
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens: {self.max_tokens} is not at least 1")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: {self.top_p} is no share; give a number above 0 and up to 1, or null")
        if self.temperature <= 0:
            raise ValueError(f"temperature: {self.temperature} is not above 0; for the likeliest words say top_p: null")


class NextToken:
    """Picks the next token of each clip of a batch."""

    def __init__(self, decoding: Decoding, clip_ids: Sequence[str]) -> None:
        """Args: clip_ids: of the batch; they seed the draws."""
        import torch

        self._decoding = decoding
        self._generators = [torch.Generator().manual_seed(_seed(decoding.seed, clip_id)) for clip_id in clip_ids]

    def __call__(self, logits: "Tensor") -> "Tensor":
        """Token of each clip: int64 (B,).

        Nucleus sampling as in arXiv 1904.09751.

        Args:
            logits: float (B, V).
        """
        import torch

        if self._decoding.top_p is None:
            return logits.argmax(dim=-1)  # (B,)
        scaled = logits.float() / self._decoding.temperature
        probabilities, tokens = scaled.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)  # (B, V)
        before = probabilities.cumsum(dim=-1) - probabilities  # (B, V) probability of the likelier ones
        kept = before < self._decoding.top_p  # (B, V) the likeliest one always
        upto = torch.where(kept, probabilities, 0).cumsum(dim=-1)  # (B, V)
        chance = torch.stack([torch.rand(1, generator=generator) for generator in self._generators])  # (B, 1)
        place = (upto <= chance.to(upto.device) * upto[:, -1:]).sum(dim=-1)  # (B,)
        place = torch.minimum(place, kept.sum(dim=-1) - 1)  # rounding could step past the last one
        return tokens.gather(-1, place[:, None])[:, 0]


def _seed(seed: int, clip_id: str) -> int:
    return int.from_bytes(blake2b(f"{seed} {clip_id}".encode(), digest_size=7).digest(), "big")
