"""Zero-shot labels over stored embeddings, against open_clip asked directly, and in the demo's world."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pyarrow as pa
import pytest
import torch
import yaml
from PIL import Image

from curation.demo.backgrounds import FAMILIES
from curation.demo.world import random_scene
from curation.scorer import Misfit
from curation.scorers.openclip import OpenClip
from curation.scorers.zero_shot import ZeroShot

MODEL = "local-dir:curation/demo/weights/clip"
SHAPES = ("circle", "square", "triangle", "star")
SETS = {
    "shape": {"round": ["a red circle", "a blue circle"], "angular": ["a red square", "a blue triangle"]},
    "kind": {name: [f"a {name}"] for name in SHAPES},
}


def tiny() -> ZeroShot:
    """The demo's CLIP."""
    return ZeroShot(model=MODEL, sets=SETS)


@pytest.fixture(scope="module")
def scenes() -> list:
    return [random_scene(np.random.default_rng([78, k])) for k in range(6)]


@pytest.fixture(scope="module")
def embedded(scenes) -> pa.Table:
    return embed(scenes)


def embed(scenes: list) -> pa.Table:
    scorer = OpenClip(model=MODEL)
    captions = pa.table({"captions": pa.array([[]] * len(scenes), pa.list_(pa.string()))})
    columns = scorer.build()(captions, [[(k / 2, scene.frame(k / 2)) for k in range(3)] for scene in scenes])
    vectors = pa.array(columns["clip_frame_embeddings"], scorer.writes.field("clip_frame_embeddings").type)
    return pa.table({"clip_frame_embeddings": vectors})


def test_it_is_what_open_clip_says_frame_by_frame(scenes, embedded):
    columns = tiny().build()(embedded, [()] * len(scenes))
    model, preprocess = open_clip.create_model_from_pretrained(MODEL)
    tokenizer = open_clip.get_tokenizer(MODEL)
    with torch.inference_mode():
        for row, scene in enumerate(scenes):
            images = torch.stack([preprocess(Image.fromarray(scene.frame(k / 2))) for k in range(3)])
            for name, labels in SETS.items():
                texts = [model.encode_text(tokenizer(c), normalize=True).mean(0) for c in labels.values()]
                texts = torch.nn.functional.normalize(torch.stack(texts), dim=-1)
                logits = model.logit_scale.exp() * model.encode_image(images, normalize=True) @ texts.T
                expected = logits.softmax(dim=-1).mean(dim=0).tolist()
                assert [columns[f"{name}_{label}"][row] for label in labels] == pytest.approx(expected, abs=5e-3)
    assert columns["error"] == [None] * len(scenes)


def test_the_demo_tells_backgrounds():
    entry = yaml.safe_load(Path("configs/curate/demo.yaml").read_text())["scorers"]["zero_shot"]
    labels = entry["init_args"]["sets"]["background"]
    assert list(labels) == list(FAMILIES)
    scenes = [random_scene(np.random.default_rng([79, k])) for k in range(40)]
    columns = ZeroShot(**entry["init_args"]).build()(embed(scenes), [()] * len(scenes))
    given = [columns[f"background_{scene.background}"][row] for row, scene in enumerate(scenes)]
    likeliest = [max(labels, key=lambda label: columns[f"background_{label}"][row]) for row in range(len(scenes))]
    right = np.mean([label == scene.background for label, scene in zip(likeliest, scenes, strict=True)])
    assert right >= 0.75 and np.median(given) >= 0.6, "by chance both are 0.1"


def test_probabilities_of_a_set_sum_to_one(embedded):
    columns = tiny().build()(embedded, [()] * len(embedded))
    for name, labels in SETS.items():
        assert sum(np.array(columns[f"{name}_{label}"]) for label in labels) == pytest.approx(1, abs=1e-6)


def test_a_clip_without_embeddings_is_null_with_a_reason(embedded):
    kind = embedded.schema.field(0).type
    table = pa.table({"clip_frame_embeddings": pa.chunked_array([pa.nulls(1, kind), embedded.column(0).chunk(0)])})
    columns = tiny().build()(table, [()] * len(table))
    assert columns["shape_round"][0] is None and columns["error"][0] == "no clip_frame_embeddings"
    assert columns["shape_round"][1:] == tiny().build()(embedded, [()] * len(embedded))["shape_round"]


def test_embeddings_of_another_model_are_refused():
    table = pa.table({"clip_frame_embeddings": pa.array([[[1.0, 0.0]]], pa.list_(pa.list_(pa.float16())))})
    with pytest.raises(Misfit, match="128 numbers, `clip_frame_embeddings` has 2: it is of another model"):
        tiny().build()(table, [()])
    other = OpenClip(model="ViT-L-14", pretrained="openai")
    with pytest.raises(ValueError, match="made with model 'ViT-L-14', pretrained 'openai'"):
        tiny().check({"clip_frame_embeddings": other})
    replace(tiny(), model="ViT-L-14", pretrained="openai").check({"clip_frame_embeddings": other})


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ({}, "at least one set"),
        ({"kind": {"film": ["a film"]}}, "sets.kind: a set has at least two labels"),
        ({"kind": {"film": ["a film"], "cartoon": []}}, "captions that are not empty"),
        ({"kind": {"film": ["a film"], "cartoon": [" "]}}, "captions that are not empty"),
        ({"kind": {"film": ["a film"], "screen recording": ["a screen"]}}, "screen recording: a label names a column"),
    ],
)
def test_sets_that_make_no_sense_are_refused(sets, words):
    with pytest.raises(ValueError, match=words):
        ZeroShot(model=MODEL, sets=sets)
