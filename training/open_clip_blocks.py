"""The transformer blocks of open_clip in the layout of CLIP in transformers."""

from collections.abc import Iterator, Mapping

from torch import Tensor

BLOCKS = "transformer.resblocks."
NAMES = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}


def encoder_layers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the blocks, by the names of transformers; of a tower's others there are none.

    Queries, keys and values become three tensors. What CLIP of transformers has no place for keeps its last name.
    """
    renamed = {}
    for name, tensor in weights.items():
        if name.startswith(BLOCKS):
            number, inside = name.removeprefix(BLOCKS).split(".", 1)
            renamed |= {f"encoder.layers.{number}.{theirs}": part for theirs, part in _parts(inside, tensor)}
    return renamed


def activation(block: object) -> str:
    """Name that transformers has for that of a block."""
    return "quick_gelu" if type(block.mlp.gelu).__name__ == "QuickGELU" else "gelu"  # pyright: ignore


def _parts(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    if name.startswith("attn.in_proj_"):
        kind = name.removeprefix("attn.in_proj_")
        for which, part in zip("qkv", tensor.chunk(3), strict=True):
            yield f"self_attn.{which}_proj.{kind}", part
        return
    part, kind = name.rsplit(".", 1)
    yield f"{NAMES.get(part, part)}.{kind}", tensor
