"""The text encoder with the demo weights, against open_clip's own features and a computation by hand."""

import open_clip
import pytest
import torch

from training.text import OpenClipText

MODEL = "local-dir:curation/demo/weights/clip"
CAPTIONS = ["a red circle moves left", "a blue star turns over a cloudy background, the camera zooms in", ""]


def encoder(skip_last=0, dtype=torch.float32):
    text = OpenClipText(MODEL, skip_last=skip_last)
    text.load(torch.device("cpu"), dtype)
    return text


@pytest.fixture(scope="module")
def clip():
    model, _ = open_clip.create_model_from_pretrained(MODEL)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tokens():
    return open_clip.get_tokenizer(MODEL)(CAPTIONS)


def by_hand(clip, tokens, num_blocks):
    features = clip.token_embedding(tokens) + clip.positional_embedding
    for block in clip.transformer.resblocks[:num_blocks]:
        features = block(features, attn_mask=clip.attn_mask)
    return clip.ln_final(features)


def test_pooled_and_projected_features_are_those_of_open_clip(clip, tokens):
    features = encoder().encode(CAPTIONS)
    assert features.shape == (3, 48, 64) and features.dtype == torch.float32
    pooled = features[torch.arange(3), tokens.argmax(1)] @ clip.text_projection  # the end token has the highest number
    assert torch.allclose(pooled, clip.encode_text(tokens), atol=1e-5)


@pytest.mark.parametrize("skip_last", [0, 1, 2])
def test_skipped_blocks_are_left_out_before_the_last_norm(clip, tokens, skip_last):
    features = encoder(skip_last).encode(CAPTIONS)
    assert torch.allclose(features, by_hand(clip, tokens, 2 - skip_last), atol=1e-5)
    assert not torch.allclose(features, by_hand(clip, tokens, 1 + skip_last), atol=1e-2)


def test_a_caption_is_encoded_alike_alone_and_beside_a_longer_one():
    text = encoder()
    together = text.encode(CAPTIONS)
    for caption, features in zip(CAPTIONS, together, strict=True):
        assert torch.allclose(text.encode([caption])[0], features, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


def test_equal_captions_give_equal_features_in_their_order():
    features = encoder().encode([CAPTIONS[1], CAPTIONS[0], CAPTIONS[1]])
    assert torch.allclose(features[0], features[2], atol=1e-5)
    assert torch.allclose(features[:2].flip(0), encoder().encode(CAPTIONS[:2]), atol=1e-5)


def test_features_carry_no_gradient_and_are_float32_in_any_precision():
    features = encoder(dtype=torch.bfloat16).encode(CAPTIONS)
    assert features.dtype == torch.float32 and not features.requires_grad
    assert torch.allclose(features, encoder().encode(CAPTIONS), atol=0.2)


def test_a_missing_folder_is_named_with_the_way_out(tmp_path):
    text = OpenClipText(f"local-dir:{tmp_path}/absent")
    with pytest.raises(ValueError, match=r"absent' cannot be loaded .*--model\.text\.init_args\.model=local-dir:"):
        text.load(torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("name", [("ViT-H-14", "laion2b_s32b_b79k"), ("hf-hub:owner/name", None)])
def test_weights_of_a_hub_are_the_file_that_open_clip_loads(tmp_path, monkeypatch, name):
    asked = []
    monkeypatch.setattr("open_clip.pretrained.hf_hub_download", lambda **what: asked.append(what) or str(tmp_path))
    assert OpenClipText(*name).weights() == tmp_path and asked[0]["filename"] == "open_clip_model.safetensors"
    monkeypatch.undo()
    assert OpenClipText("local-dir:absent").weights() is None
