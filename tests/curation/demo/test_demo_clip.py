import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from curation.demo.clip_data import Pairs, Stream, held_out_pairs, scene_rng, train_scene, wear
from curation.demo.clip_figures import measure, retrieval_top1
from curation.demo.clip_model import FOLDER, WEIGHTS, as_input, embed_held_out, load, resizing, save
from curation.demo.train_clip import Settings, batches, contrastive_loss, learning_rate_at, make_optimizer

NUM_SCENES = 96

# What a scorer does with published weights, in a process that cannot reach any network.
LOAD_WITHOUT_NETWORK = """
import socket, sys

def refuse(*_):
    raise OSError("no network here")

socket.socket.connect = socket.getaddrinfo = refuse
import open_clip

model, preprocess = open_clip.create_model_from_pretrained(sys.argv[1], precision="fp32")
tokenizer = open_clip.get_tokenizer(sys.argv[1])
print(type(tokenizer).__name__, next(model.parameters()).dtype, tuple(tokenizer(["a red circle"]).shape))
"""

LAYER_PARTS = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def to_transformers(state: dict[str, torch.Tensor], num_layers: int) -> dict[str, torch.Tensor]:
    """Renames open_clip's image tower to the layout of `CLIPVisionModelWithProjection`."""
    converted = {
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        "visual_projection.weight": state["visual.proj"].T,
    }
    for kind in ("weight", "bias"):
        converted[f"vision_model.pre_layrnorm.{kind}"] = state[f"visual.ln_pre.{kind}"]  # transformers' own spelling
        converted[f"vision_model.post_layernorm.{kind}"] = state[f"visual.ln_post.{kind}"]
        for layer in range(num_layers):
            source, target = f"visual.transformer.resblocks.{layer}", f"vision_model.encoder.layers.{layer}"
            for ours, theirs in LAYER_PARTS.items():
                converted[f"{target}.{theirs}.{kind}"] = state[f"{source}.{ours}.{kind}"]
            for name, part in zip("qkv", state[f"{source}.attn.in_proj_{kind}"].chunk(3), strict=True):
                converted[f"{target}.self_attn.{name}_proj.{kind}"] = part
    return converted


def transformers_config(model_cfg: dict):
    from transformers import CLIPVisionConfig

    vision = model_cfg["vision_cfg"]
    return CLIPVisionConfig(
        hidden_size=vision["width"],
        intermediate_size=4 * vision["width"],
        num_hidden_layers=vision["layers"],
        num_attention_heads=vision["width"] // vision["head_width"],
        image_size=vision["image_size"],
        patch_size=vision["patch_size"],
        projection_dim=model_cfg["embed_dim"],
        hidden_act="gelu",
    )


@pytest.fixture(scope="module")
def clip():
    model, preprocess = load()
    return model.eval(), preprocess


@pytest.fixture(scope="module")
def embedded(clip):
    return embed_held_out(*clip, NUM_SCENES, Stream.TEST)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)


def test_the_weights_are_small_and_in_half_precision():
    assert (FOLDER / WEIGHTS).stat().st_size < 10e6
    assert {tensor.dtype for tensor in load_file(FOLDER / WEIGHTS).values()} == {torch.float16}


def test_the_model_loads_as_published_weights_do_without_network_or_warning():
    command = [sys.executable, "-c", LOAD_WITHOUT_NETWORK, f"local-dir:{FOLDER}"]
    run = subprocess.run(command, env=os.environ | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("SimpleTokenizer torch.float32 (1, 48)", "")


@pytest.mark.parametrize("place", [0, 1, 2, slice(None)], ids=["first", "middle", "last", "mean of three"])
def test_a_picture_finds_its_caption_among_32(embedded, place):
    frames, captions = embedded
    pictures = frames[:, place] if isinstance(place, int) else frames.mean(axis=1)
    assert retrieval_top1(pictures, captions) >= 0.8


def test_wrong_captions_score_below_right_ones(embedded):
    figures = measure(*embedded)
    assert figures.auc >= 0.99
    assert figures.false_reject <= 0.05


def test_the_image_tower_converts_to_transformers(clip, picture):
    from transformers import CLIPVisionModelWithProjection

    model, preprocess = clip
    model_cfg = json.loads((FOLDER / "open_clip_config.json").read_text())["model_cfg"]
    theirs = CLIPVisionModelWithProjection(transformers_config(model_cfg)).eval()
    theirs.load_state_dict(to_transformers(model.state_dict(), model_cfg["vision_cfg"]["layers"]))
    pixels = torch.stack([preprocess(Image.fromarray(image)) for image in (picture, picture[::-1])])
    with torch.inference_mode():
        expected, embeds = model.encode_image(pixels), theirs(pixel_values=pixels).image_embeds
    torch.testing.assert_close(embeds, expected, atol=1e-4, rtol=0)


def test_the_two_halves_of_the_preprocessing_are_the_whole(clip, picture):
    _, preprocess = clip
    whole = preprocess(Image.fromarray(picture))
    resized = np.array(resizing(preprocess)(Image.fromarray(picture)))
    torch.testing.assert_close(as_input(resized[None], preprocess)[0], whole)


def test_the_whole_frame_is_seen(clip):
    frame = np.zeros((180, 320, 3), np.uint8)
    frame[:, :20] = 255
    resized = np.asarray(resizing(clip[1])(Image.fromarray(frame)))
    assert resized.shape == (224, 224, 3)
    assert resized[:, 0].min() > 250


def test_streams_share_no_scene_and_a_scene_repeats(clip):
    first = [scene_rng(stream, 0).random() for stream in Stream]
    assert len(set(first)) == len(Stream)
    resize = resizing(clip[1])
    (pictures, caption), (again, same_caption) = (train_scene(3, resize, num_frames=2) for _ in range(2))
    assert caption == same_caption
    assert pictures.shape == (2, 224, 224, 3)
    np.testing.assert_array_equal(pictures, again)


def test_wear_changes_a_picture_a_little(clip):
    frame = held_out_pairs(1, resizing(clip[1])).pictures[0, 1]
    worn = wear(frame, np.random.default_rng(0))
    assert worn.shape == frame.shape
    assert 0 < np.abs(worn.astype(int) - frame).mean() < 60


def test_figures_of_known_embeddings():
    captions = np.eye(64)
    frames = np.repeat(captions[:, None], 3, axis=1)
    right = measure(frames, captions)
    assert (right.top1_one_frame, right.top1_three_frames, right.auc, right.false_reject) == (1, 1, 1, 0)
    assert retrieval_top1(np.roll(captions, 1, axis=0), captions) == 0


def test_an_epoch_takes_every_scene_once():
    pictures = np.arange(20, dtype=np.uint8).reshape(10, 2, 1, 1, 1)
    drawn = list(batches(Pairs(pictures, ["a"] * 10), Settings(epochs=2, batch_size=5)))
    assert sorted(np.concatenate([rows for rows, _ in drawn[:2]])) == list(range(10))
    assert len(drawn) == 4
    for rows, chosen in drawn:
        np.testing.assert_array_equal(chosen.ravel() // 2, rows)


def test_the_learning_rate_rises_then_falls():
    rates = [learning_rate_at(progress, 0.1) for progress in (0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([0.5, 1.0, 0.5, 0.0])


def test_a_few_steps_lower_the_loss_and_save_and_load_agree(tmp_path: Path):
    torch.manual_seed(0)
    model, _ = load(with_weights=False)
    pictures, tokens = torch.randn(8, 3, 224, 224), torch.randint(1, 49_000, (8, 48))
    optimizer, losses = make_optimizer(model, Settings()), []
    for _ in range(6):
        loss = contrastive_loss(model, pictures, tokens)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]

    (tmp_path / "open_clip_config.json").write_text((FOLDER / "open_clip_config.json").read_text())
    save(model, tmp_path)
    loaded, _ = load(tmp_path)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor.half().float(), msg=name)
