"""The text tower of open_clip as transformers has it: the same tokens, the same features."""

from typing import Any

import torch
from torch import Tensor

from training.open_clip_blocks import BLOCKS, activation, encoder_layers
from training.text import OpenClipText

PROBES = ("", "A cat's 2 toys!! <|endoftext|>", "waves break on a rocky shore, " * 40)
OUTSIDE = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
SPECIAL = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}


def clip_text(text: OpenClipText) -> tuple[Any, Any]:
    """A `CLIPTextModel`, one `WithProjection` where features are projected, and its `CLIPTokenizer`.

    Args:
        text: loaded. Blocks that it leaves out are not there.

    Raises:
        ValueError: it has parts that they cannot have, or computes otherwise.
    """
    tower, words = text.loaded
    if type(words).__name__ != "SimpleTokenizer":
        raise ValueError(f"the text encoder {text.model!r} has a tokenizer that is not CLIP's: {type(words).__name__}")
    model, tokenizer = _model(tower, text, words), _tokenizer(words)
    found = _features(model, tokenizer)
    expected = text.encode(PROBES)
    if not torch.allclose(found, expected.cpu(), rtol=1e-3, atol=1e-3 * float(expected.std())):
        raise ValueError(f"the text tower of {text.model!r} computes otherwise than CLIPTextModel of transformers")
    return model, tokenizer


def _model(tower: Any, text: OpenClipText, words: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    blocks, weights = tower.transformer.resblocks, tower.state_dict()
    num_layers = len(blocks) - text.skip_last
    vocab_size, width = weights["token_embedding.weight"].shape
    projection = weights["text_projection"] if text.projected else None  # (D, D')
    config = CLIPTextConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=blocks[0].mlp.c_fc.out_features,
        projection_dim=width if projection is None else projection.shape[1],
        num_hidden_layers=num_layers,
        num_attention_heads=blocks[0].attn.num_heads,
        max_position_embeddings=len(weights["positional_embedding"]),
        hidden_act=activation(blocks[0]),
        layer_norm_eps=tower.ln_final.eps,
        pad_token_id=0,
        bos_token_id=words.sot_token_id,
        eos_token_id=words.eot_token_id,
    )
    kept = {name: weight for name, weight in weights.items() if _number(name) < num_layers}
    renamed = encoder_layers(kept) | {theirs: weights[ours] for theirs, ours in OUTSIDE.items()}
    if projection is None:
        return _filled(CLIPTextModel(config), renamed)
    renamed = {f"text_model.{name}": weight for name, weight in renamed.items()}
    return _filled(CLIPTextModelWithProjection(config), renamed | {"text_projection.weight": projection.T.contiguous()})


def _number(name: str) -> int:
    """Of the block that a weight belongs to; -1 for none."""
    return int(name.removeprefix(BLOCKS).split(".")[0]) if name.startswith(BLOCKS) else -1


def _filled(model: Any, weights: dict[str, Tensor]) -> Any:
    told = model.load_state_dict(weights, strict=False)
    if wrong := [*told.unexpected_keys, *told.missing_keys]:
        raise ValueError(f"the layers of the text tower are not those of CLIP, such as {wrong[0]}")
    return model.eval().requires_grad_(False)


def _tokenizer(words: Any) -> Any:
    from transformers import CLIPTokenizer

    vocab: dict[str, int] = {SPECIAL.get(token) or token: number for token, number in words.encoder.items()}
    return CLIPTokenizer(
        vocab=vocab,
        merges=list(words.bpe_ranks),
        pad_token=words.decoder[0],  # open_clip fills with zeros; this is "!" ...
        split_special_tokens=True,  # ... and so a "!" in a caption stays what it is
        model_max_length=words.context_length,
    )


@torch.no_grad()
def _features(model: Any, tokenizer: Any) -> Tensor:
    """(B, L, D) of the probes."""
    tokens = tokenizer(list(PROBES), padding="max_length", truncation=True, return_tensors="pt").input_ids
    features = model(tokens).last_hidden_state
    return model.text_projection(features) if hasattr(model, "text_projection") else features
