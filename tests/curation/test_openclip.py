"""The OpenCLIP scorer with the demo weights, against a plain open_clip computation."""

import json

import numpy as np
import open_clip
import pyarrow as pa
import pytest
import torch
from PIL import Image

from curation.demo.world import random_scene
from curation.scorers.openclip import OpenClip, _load_head

MODEL = "local-dir:curation/demo/weights/clip"


def scenes(num: int):
    return [random_scene(np.random.default_rng([77, k])) for k in range(num)]


def clip_frames(scene, num: int = 5):
    return [(k / 2, scene.frame(k / 2)) for k in range(num)]


def table(captions: list[list[str]]) -> pa.Table:
    return pa.table({"captions": pa.array(captions, pa.list_(pa.string()))})


@pytest.fixture(scope="module")
def some():
    chosen = scenes(4)
    return chosen, table([[s.caption, "another caption"] for s in chosen]), [clip_frames(s) for s in chosen]


@pytest.fixture(scope="module")
def score():
    return OpenClip(model=MODEL).build()


def test_it_is_the_cosine_that_open_clip_gives(some, score):
    chosen, captions, frames = some
    columns = score(captions, frames)
    model, preprocess = open_clip.create_model_from_pretrained(MODEL)
    tokens = open_clip.get_tokenizer(MODEL)([scene.caption for scene in chosen])
    with torch.inference_mode():
        texts = torch.nn.functional.normalize(model.encode_text(tokens), dim=-1)
        for row, clip in enumerate(frames):
            images = torch.stack([preprocess(Image.fromarray(clip[k][1])) for k in (0, 2, 4)])
            unit = torch.nn.functional.normalize(model.encode_image(images), dim=-1)
            expected = (unit @ texts[row]).tolist()
            found = [columns[f"clip_similarity_{place}"][row] for place in ("first", "middle", "last")]
            assert found == pytest.approx(expected, abs=1e-5)
            assert columns["clip_similarity"][row] == pytest.approx(np.mean(expected), abs=1e-5)
            mean = torch.nn.functional.normalize(unit.mean(0), dim=-1).numpy()
            np.testing.assert_allclose(columns["clip_embedding"][row], mean, atol=1e-3)


def test_right_captions_score_above_wrong_ones(some, score):
    chosen, captions, frames = some
    wrong = table([[chosen[(k + 1) % len(chosen)].caption] for k in range(len(chosen))])
    right_scores, wrong_scores = (score(t, frames)["clip_similarity"] for t in (captions, wrong))
    assert all(right > wrong for right, wrong in zip(right_scores, wrong_scores, strict=True))


def test_no_caption_is_null_without_error_and_no_frame_is_an_error(some, score):
    _, _, frames = some
    columns = score(table([[], ["a red circle"], []]), [frames[0], [], frames[1][:1]])
    assert columns["clip_similarity"] == [None, None, None]
    assert columns["error"] == [None, "no proxy frame", None]
    assert columns["clip_embedding"][1] is None and columns["clip_embedding"][2] is not None


def test_an_empty_batch_gives_empty_columns(score):
    assert {name: len(values) for name, values in score(table([]), []).items()} == dict.fromkeys(
        [*OpenClip(model=MODEL).writes.names, "error"], 0
    )


def test_the_size_of_a_batch_does_not_matter(some, score):
    _, captions, frames = some
    small = OpenClip(model=MODEL, batch_size=2).build()(captions, frames)
    assert small["clip_similarity"] == pytest.approx(score(captions, frames)["clip_similarity"], abs=1e-5)


def test_a_linear_head_scores_the_unit_embeddings(some, tmp_path):
    _, captions, frames = some
    width = len(OpenClip(model=MODEL).build()(captions, frames)["clip_embedding"][0])
    head = {"weight": torch.linspace(-1, 1, width)[None], "bias": torch.tensor([5.0])}
    torch.save(head, tmp_path / "head.pth")
    scorer = OpenClip(model=MODEL, aesthetic_head=str(tmp_path / "head.pth"))
    scorer.prepare()
    columns = scorer.build()(captions, [clip[:1] for clip in frames])
    for row in range(len(frames)):  # with one frame the stored embedding is that frame's
        expected = float(np.linspace(-1, 1, width) @ columns["clip_embedding"][row].astype(np.float64)) + 5
        assert columns["aesthetic"][row] == pytest.approx(expected, abs=1e-2)


def test_published_heads_give_their_published_values(media):
    truth = [
        entry for entry in json.loads((media / "manifest.json").read_text())["files"] if "embeddings" in entry["path"]
    ]
    assert len(truth) == 20
    for entry in truth:
        model = entry["path"].split("/")[-1][:8]
        weight, bias = _load_head(str(media / f"weights/aesthetic-predictor__sa_0_4_{model}_linear.pth"))
        value = np.load(media / entry["path"])[0] @ weight + bias
        assert value == pytest.approx(entry["truth"]["expected_head_output"], abs=1e-3)


def test_what_cannot_be_loaded_is_told_with_its_name(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere/head\.pth"):
        OpenClip(model=MODEL, aesthetic_head="nowhere/head.pth").prepare()
    with pytest.raises(ValueError, match="nowhere"):
        OpenClip(model="local-dir:nowhere").prepare()
    torch.save({"layers": torch.zeros(1)}, tmp_path / "mlp.pth")
    with pytest.raises(ValueError, match="no linear head"):
        _load_head(str(tmp_path / "mlp.pth"))
