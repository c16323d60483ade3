"""The U-Net of Stable Video Diffusion, and of Video LDM: the layers of Stable Diffusion 2.1 with temporal ones between.

Owns how pictures pass the temporal layers by, and how a fresh model starts; the layers themselves are diffusers'.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from diffusers import UNetSpatioTemporalConditionModel
from diffusers.models.attention import TemporalBasicTransformerBlock
from diffusers.models.resnet import AlphaBlender, TemporalResnetBlock
from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
from torch import Tensor, nn, ones_like, zeros
from torch.utils.checkpoint import checkpoint

from training.conditioning import Conditions
from training.denoisers.denoiser import NOT_GIVEN, Denoiser
from training.denoisers.svd_published import check_config, from_ldm

TEMPORAL_PARTS = {"temporal_res_block", "temporal_transformer_blocks", "time_pos_embed", "time_mixer"}
WRITERS = {
    TemporalResnetBlock: ("conv2",),
    TransformerSpatioTemporalModel: ("time_pos_embed.linear_2",),
    TemporalBasicTransformerBlock: ("ff_in.net.2", "attn1.to_out.0", "attn2.to_out.0", "ff.net.2"),
}
NUMBERS, TIME = "the embedding of the numbers", "the temporal layers"
PLAIN, ATTENDING = "{}BlockSpatioTemporal", "CrossAttn{}BlockSpatioTemporal"


class SvdUnet(Denoiser):
    """2D layers for each frame, temporal ones between them (SVD, arXiv 2311.15127; Video LDM, section 3.1).

    The defaults are SVD's text-to-video model: 1524.6 M parameters, 656.1 M of them temporal. A picture (T = 1) passes
    the temporal layers by. A fresh model treats each frame of a video as that picture. Any height and width will do.

    Args:
        in_channels: channels of the noisy latents, and of what is given beside them (SVD image-to-video: 8, 9 where
            a mask tells which frames are given).
        out_channels: channels of the prediction.
        num_given_channels: of given frames' latents, where not every frame is given: a learnt vector of so many
            stands in the places of the others. 0: there is none.
        block_out_channels: channels at each level, the finest first; multiples of 32 and of the number of heads.
        down_block_types: diffusers' block at each level; by default all but the coarsest attend, as in SVD.
        up_block_types: the same on the way up, the coarsest first; by default the mirror image.
        layers_per_block: residual blocks at each level on the way down; one more on the way up.
        transformer_layers_per_block: layers in each transformer, at each level, or one number for all.
        num_attention_heads: heads at each level, or one number for all.
        cross_attention_dim: D of the text's features.
        num_micro: how many numbers condition the model, at least 1. SVD has three: fps, motion, augmentation noise.
        addition_time_embed_dim: sinusoids for each number.
        gradient_checkpointing: compute activations again in the backward pass instead of keeping them.

    Raises:
        ValueError: `num_micro` is below 1, or the levels do not agree.
    """

    published_in = "unet"
    input_layer = "unet.conv_in.weight"

    def __init__(
        self,
        in_channels: int = 4,
        out_channels: int = 4,
        num_given_channels: int = 0,
        block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280),
        down_block_types: tuple[str, ...] | None = None,
        up_block_types: tuple[str, ...] | None = None,
        layers_per_block: int = 2,
        transformer_layers_per_block: int | tuple[int, ...] = 1,
        num_attention_heads: int | tuple[int, ...] = (5, 10, 20, 20),
        cross_attention_dim: int = 1024,
        num_micro: int = 3,
        addition_time_embed_dim: int = 256,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if num_micro < 1:
            raise ValueError(f"num_micro is {num_micro}: the U-Net needs at least one; condition it on `zero`")
        self.num_micro = num_micro
        down = down_block_types or (ATTENDING.format("Down"),) * (len(block_out_channels) - 1) + (PLAIN.format("Down"),)
        self.unet = UNetSpatioTemporalConditionModel(
            in_channels=in_channels,
            out_channels=out_channels,
            down_block_types=down,
            up_block_types=up_block_types or tuple(name.replace("Down", "Up") for name in reversed(down)),
            block_out_channels=block_out_channels,
            addition_time_embed_dim=addition_time_embed_dim,
            projection_class_embeddings_input_dim=num_micro * addition_time_embed_dim,
            layers_per_block=layers_per_block,
            cross_attention_dim=cross_attention_dim,
            transformer_layers_per_block=transformer_layers_per_block,  # pyright: ignore[reportArgumentType]
            num_attention_heads=num_attention_heads,
        )
        if gradient_checkpointing:  # diffusers' own function is a closure, which cannot be pickled
            self.unet.enable_gradient_checkpointing(partial(checkpoint, use_reentrant=False))
        if num_given_channels:
            self.not_given = nn.Parameter(zeros(num_given_channels))
        start_as_image_model(self.unet)
        if gradient_checkpointing:
            checkpoint_temporal_blocks(self.unet)
        let_pictures_pass(self.unet)

    @property
    def text_width(self) -> int:
        """See `Denoiser`."""
        return self.unet.config["cross_attention_dim"]

    def forward(self, noisy: Tensor, c_noise: Tensor, conditions: Conditions) -> Tensor:
        """See `Denoiser`. Raises ValueError unless the conditions hold `num_micro` numbers."""
        if conditions.micro.shape[-1] != self.num_micro:
            raise ValueError(f"{conditions.micro.shape[-1]} numbers for a U-Net with num_micro {self.num_micro}")
        noisy = self.with_given(noisy, conditions)  # (B, T, in_channels, H, W)
        return self.unet(noisy, c_noise, conditions.text, conditions.micro, return_dict=False)[0]  # (B, T, C, H, W)

    def is_temporal(self, name: str) -> bool:
        """See `Denoiser`: the temporal layers, the frame's position, and the factor that blends them in."""
        return not TEMPORAL_PARTS.isdisjoint(name.split("."))

    def blocks(self) -> list[nn.Module]:
        """See `Denoiser`: the levels."""
        return [*self.unet.down_blocks, cast("nn.Module", self.unet.mid_block), *self.unet.up_blocks]

    def published_name(self, name: str) -> str:
        """See `Denoiser`: that of an image U-Net; what is temporal has it from the video U-Net alone."""
        return super().published_name(name).replace(".spatial_res_block.", ".")

    def optional_part(self, name: str) -> str | None:
        """See `Denoiser`: an image U-Net has no temporal layers and knows no numbers."""
        if self.is_temporal(name):
            return TIME
        if name == NOT_GIVEN:
            return "the latents for frames that are not given"
        return NUMBERS if ".add_embedding." in name else None

    def start_without(self, part: str) -> None:
        """See `Denoiser`: the numbers add nothing at first; the temporal layers never do."""
        if part == NUMBERS:
            for parameter in self.unet.add_embedding.linear_2.parameters():
                nn.init.zeros_(parameter)

    def to_diffusers(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """See `Denoiser`: the layout of latent diffusion becomes that of diffusers; video U-Nets lose their prefix."""
        weights = from_ldm(weights, self.unet.config["layers_per_block"])
        return {name.replace(".spatial_res_block.", "."): weight for name, weight in weights.items()}

    def check_published(self, config: Mapping[str, Any]) -> None:
        """See `Denoiser`: the kind of U-Net, and heads, which no shape tells."""
        check_config(config, self.unet.config)


def start_as_image_model(unet: nn.Module) -> None:
    """Zeroes the layers that write what the temporal ones add to a frame (so does Make-A-Video, section 3.2)."""
    for module in unet.modules():
        for name in WRITERS.get(type(module), ()):
            for parameter in module.get_submodule(name).parameters():
                nn.init.zeros_(parameter)


class CheckpointedTemporalBlock(TemporalBasicTransformerBlock):
    """One whose activations are computed again in the backward pass; diffusers does so with spatial blocks alone."""

    gradient_checkpointing = True
    """As diffusers' modules have it: it can be turned off."""
    _gradient_checkpointing_func = None

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """See `TemporalBasicTransformerBlock`."""
        if not self.gradient_checkpointing:
            return super().forward(*args, **kwargs)
        return checkpoint(super().forward, *args, use_reentrant=False, **kwargs)  # pyright: ignore[reportReturnType]


def checkpoint_temporal_blocks(unet: nn.Module) -> None:
    """Lets the temporal blocks be what they are and checkpointed too; names of weights stay."""
    for module in unet.modules():
        if type(module) is TemporalBasicTransformerBlock:
            module.__class__ = CheckpointedTemporalBlock


def let_pictures_pass(unet: nn.Module) -> None:
    """Makes every blend of spatial and temporal features take the spatial ones alone where T = 1."""
    for module in unet.modules():
        if isinstance(module, AlphaBlender):
            module.register_forward_pre_hook(_mark_pictures, with_kwargs=True)


def _mark_pictures(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """diffusers' forward says 0, a video, for every frame; the indicator is (B, T)."""
    indicator = kwargs["image_only_indicator"]
    return args, kwargs | {"image_only_indicator": ones_like(indicator)} if indicator.shape[-1] == 1 else kwargs
