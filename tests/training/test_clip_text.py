"""open_clip's text tower in the layout of transformers: the same tokens and features, also from disk, or a reason."""

import pytest
import torch
from open_clip.transformer import LayerScale, QuickGELU
from transformers import AutoTokenizer, CLIPTextModel, CLIPTextModelWithProjection

from training.export.clip_text import clip_text
from training.text import OpenClipText

CAPTIONS = [
    "a red circle moves left over a striped background",
    "",
    "Wow!! A cat's 2 toys, wow !",
    "waves break on a rocky shore, " * 20,
    "naïve 日本語 <|endoftext|>",
]


def loaded(**settings):
    text = OpenClipText("local-dir:curation/demo/weights/clip", **settings)
    text.load(torch.device("cpu"), torch.float32)
    return text


@torch.no_grad()
def features(model, tokenizer):
    tokens = tokenizer(CAPTIONS, padding="max_length", truncation=True, return_tensors="pt").input_ids
    found = model(input_ids=tokens).last_hidden_state
    return tokens, model.text_projection(found) if isinstance(model, CLIPTextModelWithProjection) else found


@pytest.mark.parametrize(
    "settings", [{}, {"projected": True}, {"skip_last": 1}, {"skip_last": 2}], ids=lambda told: str(told)
)
def test_tokens_and_features_are_those_of_open_clip_also_from_disk(tmp_path, settings):
    text = loaded(**settings)
    converted = clip_text(text)
    for part in converted:
        part.save_pretrained(tmp_path)
    kind = CLIPTextModelWithProjection if "projected" in settings else CLIPTextModel
    read = kind.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    for model, tokenizer in (converted, read):
        tokens, found = features(model, tokenizer)
        assert torch.equal(tokens, text.loaded[1](CAPTIONS))
        torch.testing.assert_close(found, text.encode(CAPTIONS), atol=1e-5, rtol=0)


def test_the_quick_form_of_gelu_is_told(tmp_path):
    text = loaded()
    for block in text.loaded[0].transformer.resblocks:
        block.mlp.gelu = QuickGELU()
    model, tokenizer = clip_text(text)
    assert model.config.hidden_act == "quick_gelu"
    torch.testing.assert_close(features(model, tokenizer)[1], text.encode(CAPTIONS), atol=1e-5, rtol=0)


def test_what_clip_of_transformers_has_no_place_for_is_refused():
    scaled = loaded()
    scaled.loaded[0].transformer.resblocks[0].ls_1 = LayerScale(64)
    with pytest.raises(ValueError, match=r"not those of CLIP, such as encoder.layers.0.ls_1.gamma"):
        clip_text(scaled)
    other = loaded()
    other.loaded[0].transformer.resblocks[0].mlp.gelu = torch.nn.SiLU()
    with pytest.raises(ValueError, match="computes otherwise"):
        clip_text(other)
    words = loaded()
    words.loaded = words.loaded[0], object()
    with pytest.raises(ValueError, match="a tokenizer that is not CLIP's"):
        clip_text(words)
