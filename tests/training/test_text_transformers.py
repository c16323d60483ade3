"""Text encoders of transformers, tiny and with random weights, against transformers' own forward and open_clip's."""

import open_clip
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

from training.text import OpenClipText
from training.text_transformers import TransformersText

DEMO = "local-dir:curation/demo/weights/clip"
CAPTIONS = ["a red circle moves left", "a blue star turns over a cloudy background, the camera zooms in", ""]
WORDS = {word: n for n, word in enumerate("<pad> <unk> </s> a red blue circle star moves left".split())}
LAYER = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
LAYER |= {"attn.out_proj": "self_attn.out_proj"}


def loaded(path, dtype=torch.float32, **settings):
    text = TransformersText(str(path), **settings)
    text.load(torch.device("cpu"), dtype)
    return text


def in_transformers_names(clip):
    """The demo's text tower, name by name; query, key and value lie one below the other in open_clip."""
    found = {"embeddings.token_embedding.weight": clip.token_embedding.weight}
    found["embeddings.position_embedding.weight"] = clip.positional_embedding
    found |= {f"final_layer_norm.{name}": weight for name, weight in clip.ln_final.named_parameters()}
    for number, block in enumerate(clip.transformer.resblocks):
        layer = f"encoder.layers.{number}"
        for kind in ("weight", "bias"):
            parts = getattr(block.attn, f"in_proj_{kind}").chunk(3)
            found |= {f"{layer}.self_attn.{k}_proj.{kind}": part for k, part in zip("qkv", parts, strict=True)}
            found |= {f"{layer}.{new}.{kind}": block.get_parameter(f"{old}.{kind}") for old, new in LAYER.items()}
    return {f"text_model.{name}": weight.detach().clone() for name, weight in found.items()}


@pytest.fixture(scope="module")
def demo_clip(tmp_path_factory):
    """A pipeline's folder with the demo's text encoder in the layout in which Stable Diffusion 2.1 is published."""
    folder = tmp_path_factory.mktemp("pipeline")
    clip, _ = open_clip.create_model_from_pretrained(DEMO)
    ends = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 0}
    sizes = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPTextConfig(vocab_size=49408, max_position_embeddings=48, hidden_act="gelu", **sizes, **ends)
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")
    save_file(in_transformers_names(clip), folder / "text_encoder" / "model.safetensors", {"format": "pt"})
    words = SimpleTokenizer()
    ends = {
        "bos_token": "<start_of_text>",
        "eos_token": "<end_of_text>",
        "unk_token": "<end_of_text>",
        "pad_token": "!",
    }
    merges = list(words.bpe_ranks)
    CLIPTokenizer(vocab=words.encoder, merges=merges, model_max_length=48, **ends).save_pretrained(folder / "tokenizer")
    return folder


@pytest.mark.parametrize("skip_last", [0, 1])
def test_the_same_clip_gives_the_same_features_in_both_libraries(demo_clip, skip_last):
    ours = loaded(demo_clip, subfolder="text_encoder", skip_last=skip_last).encode(CAPTIONS)
    theirs = OpenClipText(DEMO, skip_last=skip_last)
    theirs.load(torch.device("cpu"), torch.float32)
    assert ours.shape == (3, 48, 64) and ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs.encode(CAPTIONS), atol=1e-5, rtol=0)


def test_a_caption_is_encoded_alike_alone_and_cut_at_the_limit(demo_clip):
    text = loaded(demo_clip, subfolder="text_encoder", max_length=8)
    together = text.encode(CAPTIONS)
    assert together.shape == (3, 8, 64)
    for caption, features in zip(CAPTIONS, together, strict=True):
        torch.testing.assert_close(text.encode([caption])[0], features, atol=1e-5, rtol=0)


@pytest.fixture
def t5(tmp_path):
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2, "num_layers": 2, "vocab_size": len(WORDS)}
    model = T5EncoderModel(T5Config(**sizes, pad_token_id=0, eos_token_id=2)).eval()
    model.save_pretrained(tmp_path)
    words = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **ends).save_pretrained(tmp_path)
    return model, tmp_path


@torch.no_grad()
def test_t5_gives_its_last_hidden_state(t5):
    model, folder = t5
    features = loaded(folder, max_length=5).encode(["a red circle", "a blue star moves left"])
    tokens = torch.tensor([[WORDS[w] for w in "a red circle <pad> <pad>".split()], [3, 5, 7, 8, 9]])
    torch.testing.assert_close(features, model(input_ids=tokens).last_hidden_state, atol=1e-5, rtol=0)
    shorter = loaded(folder, max_length=5, skip_last=1).encode(["a blue star moves left"])
    by_hand = model.encoder.final_layer_norm(model(input_ids=tokens[1:], output_hidden_states=True).hidden_states[1])
    torch.testing.assert_close(shorter, by_hand, atol=1e-5, rtol=0)


def test_what_cannot_be_is_told_with_its_key(t5, demo_clip, tmp_path, monkeypatch):
    _, folder = t5
    for settings, words in [
        ({}, "max_length is None: set it"),
        ({"skip_last": 2}, "skip_last is 2, and it has 2 layers"),
        ({"subfolder": "text_encoder"}, "has no folder 'text_encoder'"),
    ]:
        with pytest.raises(ValueError, match=words):
            loaded(folder, **settings)
    with pytest.raises(ValueError, match=r"max_length is 49: set it .1 to 48"):
        loaded(demo_clip, subfolder="text_encoder", max_length=49)
    weights = load_file(folder / "model.safetensors")
    weights.pop("encoder.final_layer_norm.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="lacks 1 of its weights"):
        loaded(folder, max_length=5)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"'nobody/nothing' cannot be loaded.*--model.text.init_args.path=<folder>"):
        loaded("nobody/nothing")
