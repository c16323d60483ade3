"""Makes what a denoiser is told, for a batch of training or for sampling. The encoders are frozen."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from training.codec import LatentCodec
from training.conditioning import Conditioning, Conditions, leave_out_given, leave_out_text
from training.given import GivenDraw, draw_given, sampling_draw
from training.image_encoder import ImageEncoder
from training.stream import Batch
from training.text import TextEncoder

Generators = Sequence[torch.Generator]
"""One a sample, on the CPU."""


class Conditioner:
    """Captions, numbers and given frames to tensors.

    Raises:
        ValueError: an image's embedding is wanted, and there is no image encoder.
    """

    def __init__(
        self, told: Conditioning, codec: LatentCodec, text: TextEncoder, image_encoder: ImageEncoder | None = None
    ) -> None:
        if told.embeds_image and image_encoder is None:
            raise ValueError("model.conditioning.given.embedding needs model.image_encoder")
        self.told, self._codec, self._text = told, codec, text
        self._image_encoder = image_encoder if told.embeds_image else None
        self.empty: Tensor
        """(1, L, D) features of no caption, or of no image."""

    def load(self, device: torch.device, dtype: torch.dtype) -> None:
        """Loads the encoder whose features the denoiser attends to.

        Raises:
            ValueError: its weights cannot be had.
        """
        if self._image_encoder is None:
            self._text.load(device, dtype)
            self.empty = self._text.encode([""])
            return
        self._image_encoder.load(device, dtype)
        seen = torch.zeros(1, 32, 32, 3, dtype=torch.uint8, device=device)
        self.empty = torch.zeros_like(self._image_encoder.encode(seen))  # what SVD's release takes for no image

    def features(self, captions: Sequence[str], computed: Tensor | None = None) -> Tensor:
        """Features of captions, (B, L, D); those that were computed before are taken. No caption has `empty`."""
        if not self.told.uses_captions:
            return self.empty.expand(len(captions), -1, -1)
        text = self._text.encode(captions) if computed is None else computed.float()  # (B, L, D)
        return leave_out_text(text, self.empty, torch.tensor([not caption for caption in captions]))

    @torch.no_grad()
    def of_batch(self, batch: Batch, num_latents: int, generators: Generators, learning: bool) -> Conditions:
        """What a batch is conditioned on.

        Args:
            batch: its frames are pixels or latents.
            num_latents: T of the latents.
            generators: of the samples; used where something is left to chance.
            learning: whether some captions and given frames are left out, and the noise on these varies.
        """
        share = torch.stack([torch.rand((), generator=each) for each in generators]) if learning else None
        frames = batch.given_frames(self.told.given) if self.told.given else None  # (B, K, H, W, 3)
        text = self._attended(batch.captions, frames, batch.features)  # (B, L, D)
        if share is not None and self._image_encoder is None:
            text = leave_out_text(text, self.empty, share < self.told.text_dropout)
        conditions = Conditions(text, batch.micro.to(text.device))
        if self.told.given and frames is not None:
            draw = draw_given if learning else sampling_draw
            drawn = draw(self.told.given, (frames.shape[2], frames.shape[3]), generators)
            conditions = self._with_given(conditions, frames, drawn, num_latents)
        return conditions

    @torch.no_grad()
    def of_sampling(
        self,
        captions: Sequence[str],
        micro: Sequence[float],
        num_latents: int,
        generators: Generators,
        frames: Tensor | None = None,
    ) -> Conditions:
        """What sampled videos are conditioned on.

        Args:
            captions: B of them.
            micro: N scaled numbers, the same for all.
            num_latents: T of the latents.
            generators: of the videos, for the noise on given frames.
            frames: uint8 (B, K, H, W, 3) RGB, the given ones, where the stage is given any.
        """
        text = self._attended(captions, frames)  # (B, L, D)
        conditions = Conditions(text, torch.tensor([list(micro)] * len(captions)).to(text.device))
        if self.told.given is None or frames is None:
            return conditions
        drawn = sampling_draw(self.told.given, (frames.shape[2], frames.shape[3]), generators)
        return self._with_given(conditions, frames, drawn, num_latents)

    def of_nothing(self, latents: Tensor, text_shape: tuple[int, int] | None = None) -> Conditions:
        """Zeros of the right shapes.

        Args:
            latents: (B, T, C, h, w), on whatever device, of which frames are given too if the stage is given any.
            text_shape: (L, D) of the features; those of the loaded encoder without.
        """
        length, width = text_shape or self.empty.shape[1:]
        text = latents.new_zeros(len(latents), length, width)
        conditions = Conditions(text, latents.new_zeros(len(latents), len(self.told.micro)))
        if self.told.given is None:
            return conditions
        placed, is_given = self.told.given.place(self.told.given.of(latents), latents.shape[1])
        return replace(conditions, given=placed, is_given=is_given)

    def _attended(self, captions: Sequence[str], frames: Tensor | None, computed: Tensor | None = None) -> Tensor:
        if self._image_encoder is None:
            return self.features(captions, computed)
        assert frames is not None
        return self._image_encoder.encode(frames[:, 0])  # (B, 1, D)

    def _with_given(self, conditions: Conditions, frames: Tensor, drawn: GivenDraw, num_latents: int) -> Conditions:
        given = self.told.given
        assert given is not None
        latents = self._codec.encode_given(drawn.noisy(frames))  # (B, K, C', h, w)
        placed, is_given = given.place(latents, num_latents)
        micro = self.told.with_noise(conditions.micro, drawn.level)
        text = conditions.text
        if self._image_encoder is not None:
            text = leave_out_text(text, self.empty, drawn.embedding_dropped)
        return leave_out_given(Conditions(text, micro, placed, is_given), drawn.dropped)
