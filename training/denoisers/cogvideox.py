"""A diffusion transformer in which text and all frames attend to one another: CogVideoX (arXiv 2408.06072).

Owns the positions and how the numbers come in; the layers are diffusers'.
"""

from collections.abc import Iterable
from functools import partial

from diffusers import CogVideoXTransformer3DModel
from diffusers.models.embeddings import TimestepEmbedding, Timesteps, get_3d_rotary_pos_embed
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from training.conditioning import Conditions
from training.denoisers.denoiser import Denoiser


class CogVideoX(Denoiser):
    """Full attention over text, time and space, with rotary positions (CogVideoX, section 2.2).

    Rotary positions count patches and frames from 0, as the 5B model does at its own size, so T, H, W and the length
    of the text may vary. The published model knows no numbers. Here their sinusoids go through a small network and are
    added to the features of every token of the text; its last layer starts at zero, so published weights first
    predict what they always did. (A token of its own would take attention from the others even while zero.)

    Args:
        num_layers: transformer blocks. The defaults are those of the 5B model.
        num_attention_heads: heads; the width is heads times `attention_head_dim`.
        attention_head_dim: a multiple of 16, which the three axes of the rotary positions share.
        in_channels: channels of the noisy latents, and of what is given beside them (image to video: 32).
        out_channels: channels of the prediction.
        time_embed_dim: width of the embedded noise level.
        text_embed_dim: D of the text's features.
        patch_size: latent pixels on each side of a patch.
        num_micro: how many numbers condition the model; may be 0.
        micro_embed_dim: sinusoids for each number; even.
        gradient_checkpointing: compute activations again in the backward pass instead of keeping them.

    Raises:
        ValueError: `attention_head_dim` is no multiple of 16.
    """

    published_in = "transformer"

    input_layer = "transformer.patch_embed.proj.weight"

    def __init__(
        self,
        num_layers: int = 42,
        num_attention_heads: int = 48,
        attention_head_dim: int = 64,
        in_channels: int = 16,
        out_channels: int = 16,
        time_embed_dim: int = 512,
        text_embed_dim: int = 4096,
        patch_size: int = 2,
        num_micro: int = 0,
        micro_embed_dim: int = 256,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if attention_head_dim % 16:
            raise ValueError(f"attention_head_dim is {attention_head_dim}: rotary positions need a multiple of 16")
        self.patch_size, self.head_dim, self.num_micro = patch_size, attention_head_dim, num_micro
        self.transformer = CogVideoXTransformer3DModel(
            num_layers=num_layers,
            num_attention_heads=num_attention_heads,
            attention_head_dim=attention_head_dim,
            in_channels=in_channels,
            out_channels=out_channels,
            time_embed_dim=time_embed_dim,
            text_embed_dim=text_embed_dim,
            patch_size=patch_size,
            use_rotary_positional_embeddings=True,
        )
        if num_micro:
            self.micro_proj = Timesteps(micro_embed_dim, flip_sin_to_cos=True, downscale_freq_shift=0)
            self.micro_embedding = TimestepEmbedding(
                num_micro * micro_embed_dim, time_embed_dim, out_dim=text_embed_dim
            )
            for parameter in self.micro_embedding.linear_2.parameters():
                nn.init.zeros_(parameter)
        if gradient_checkpointing:  # diffusers' own function is a closure, which cannot be pickled
            self.transformer.enable_gradient_checkpointing(partial(checkpoint, use_reentrant=False))

    @property
    def text_width(self) -> int:
        """See `Denoiser`."""
        return self.transformer.config["text_embed_dim"]

    def forward(self, noisy: Tensor, c_noise: Tensor, conditions: Conditions) -> Tensor:
        """See `Denoiser`.

        Raises:
            ValueError: H or W is no multiple of `patch_size`, or the conditions do not hold `num_micro` numbers.
        """
        text = self._with_numbers(conditions)  # (B, L, D)
        noisy = self.with_given(noisy, conditions)  # (B, T, in_channels, H, W)
        positions = self._positions(noisy)  # two of (T * H / patch * W / patch, head_dim)
        return self.transformer(noisy, text, c_noise, image_rotary_emb=positions, return_dict=False)[0]

    def is_temporal(self, name: str) -> bool:
        """See `Denoiser`: never, for every layer sees space and time at once."""
        return False

    def blocks(self) -> Iterable[nn.Module]:
        """See `Denoiser`."""
        return self.transformer.transformer_blocks

    def optional_part(self, name: str) -> str | None:
        """See `Denoiser`: the embedding of the numbers, which starts at zero anyway."""
        return "the embedding of the numbers" if name.startswith("micro_embedding.") else None

    def _with_numbers(self, conditions: Conditions) -> Tensor:
        text, micro = conditions.text, conditions.micro
        if micro.shape[-1] != self.num_micro:
            raise ValueError(f"{micro.shape[-1]} numbers for a transformer with num_micro {self.num_micro}")
        if not self.num_micro:
            return text
        sinusoids = self.micro_proj(micro.flatten())  # (B * N, sinusoids)
        sinusoids = sinusoids.reshape(len(micro), -1).to(text.dtype)  # (B, N * sinusoids)
        return text + self.micro_embedding(sinusoids)[:, None]  # (B, L, D)

    def _positions(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        num_frames, _, height, width = noisy.shape[1:]
        if height % self.patch_size or width % self.patch_size:
            raise ValueError(f"latents of {height} x {width} cannot be cut into patches of {self.patch_size}")
        grid = (height // self.patch_size, width // self.patch_size)
        cos, sin = get_3d_rotary_pos_embed(self.head_dim, ((0, 0), grid), grid, num_frames, device=noisy.device)
        return cos, sin
