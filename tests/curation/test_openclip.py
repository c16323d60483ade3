"""The OpenCLIP scorer with the demo weights, against a plain open_clip computation."""

import cv2
import numpy as np
import open_clip
import pyarrow as pa
import pytest
import torch
from PIL import Image

from curation.demo.world import random_scene
from curation.proxies import JpegFrames
from curation.scorer import Resources
from curation.scorers.openclip import OpenClip, spread

MODEL = "local-dir:curation/demo/weights/clip"


def tiny() -> OpenClip:
    """The demo's CLIP."""
    return OpenClip(model=MODEL)


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


def test_embeddings_of_the_frames_are_kept(some, score):
    _, captions, frames = some
    columns = score(captions, [*frames[:2], frames[2][:2], frames[3][:1]])
    kept = columns["clip_frame_embeddings"]
    assert [len(clip) for clip in kept] == [3, 3, 2, 1] and {v.dtype for v in kept[0]} == {np.dtype(np.float16)}
    for clip, mean in zip(kept, columns["clip_embedding"], strict=True):
        unit = np.array(clip, np.float64)
        assert np.linalg.norm(unit, axis=1) == pytest.approx(1, abs=1e-3)
        expected = unit.mean(axis=0) / np.linalg.norm(unit.mean(axis=0))
        np.testing.assert_allclose(mean, expected, atol=1e-3)


def test_consistency_is_one_for_a_still_picture_and_less_across_a_change_of_scene(some, score):
    _, captions, frames = some
    still, cut = [(k / 2, frames[0][0][1]) for k in range(3)], [frames[0][0], frames[1][0], frames[2][0]]
    found = score(captions, [still, cut, frames[0], frames[0][:1]])["clip_consistency"]
    assert found[0] == pytest.approx(1, abs=1e-5) and found[3] is None
    assert found[1] < 0.9 * found[2]
    unit = score(captions.slice(0, 1), [cut])["clip_frame_embeddings"][0]
    assert found[1] == pytest.approx(np.mean([unit[0] @ unit[1], unit[1] @ unit[2]]), abs=2e-3)


@pytest.mark.parametrize("wanted", [3, 5, 7])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 100])
def test_frames_are_spread_evenly_with_first_middle_and_last(count, wanted):
    chosen = spread(count, wanted)
    assert len(chosen) == min(count, wanted) == len(set(chosen))
    assert (chosen[0], chosen[len(chosen) // 2], chosen[-1]) == (0, count // 2, count - 1)
    assert max(np.diff(chosen), default=1) - min(np.diff(chosen), default=1) <= 1


def test_more_frames_leave_similarity_at_first_middle_and_last(some, score):
    _, captions, frames = some
    five = OpenClip(model=MODEL, num_frames=5).build()(captions, frames)
    assert five["clip_similarity"] == pytest.approx(score(captions, frames)["clip_similarity"], abs=1e-5)
    assert len(five["clip_frame_embeddings"][0]) == 5
    with pytest.raises(ValueError, match="num_frames: 4 must be odd"):
        OpenClip(model=MODEL, num_frames=4)


def test_only_frames_that_are_looked_at_are_decoded(some, score):
    _, captions, _frames = some
    rows = [{"time_s": k, "jpeg": cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()} for k in range(5)]
    rows[1]["jpeg"] = rows[3]["jpeg"] = b"never looked at"
    assert score(captions.slice(0, 1), [JpegFrames(rows)])["error"] == [None]


def test_odd_captions_neither_break_it_nor_count(some, score):
    _, _, frames = some
    odd = [["", "  ", "a red circle"], ["a red circle " * 800], ["\u4f60\u597d, \u043c\u0438\u0440! \U0001f3ac"], [" "]]
    assert len(odd[1][0]) > 10_000
    found = score(table(odd), frames)
    assert found["error"] == [None] * 4 and found["clip_similarity"][3] is None
    plain = score(table([["a red circle"]]), frames[:1])
    assert found["clip_similarity"][0] == pytest.approx(plain["clip_similarity"][0], abs=1e-5)
    assert all(-1 <= value <= 1 for value in found["clip_similarity"][:3])


def test_a_caption_that_another_scorer_wrote_can_be_compared(some, score):
    chosen, captions, frames = some
    scorer = OpenClip(model=MODEL, caption="caption_coca", prefix="coca")
    written = pa.table({"caption_coca": [chosen[0].caption, None, "", chosen[3].caption]})
    found, own = scorer.build()(written, frames), score(captions, frames)
    assert tuple(scorer.reads) == ("caption_coca",) and not set(scorer.writes.names) & set(OpenClip("m").writes.names)
    assert found["coca_similarity"][1:3] == [None, None]
    assert found["coca_similarity"][0] == pytest.approx(own["clip_similarity"][0], abs=1e-5)


def test_when_memory_runs_out_the_batch_halves_and_nothing_else_changes(some, score, monkeypatch, caplog):
    _, captions, frames = some
    tight = OpenClip(model=MODEL, batch_size=16).build()
    model, sizes = tight._embedder._model, []
    encode = model.encode_image

    def encode_few(images, **how):
        sizes.append(len(images))
        if len(images) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(images, **how)

    monkeypatch.setattr(model, "encode_image", encode_few)
    found, free = tight(captions, frames), score(captions, frames)
    assert sizes == [12, 6, 3, 3, 3, 3] and "out of memory" in caplog.text
    assert found["clip_similarity"] == pytest.approx(free["clip_similarity"], abs=1e-5)


def test_on_a_gpu_it_agrees_with_the_cpu(some, score):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    _, captions, frames = some
    found = OpenClip(model=MODEL, device="cuda", resources=Resources(cpus=4, gpus=1)).build()(captions, frames)
    assert found["clip_similarity"] == pytest.approx(score(captions, frames)["clip_similarity"], abs=2e-2)


def test_what_cannot_be_loaded_is_told_with_its_name():
    with pytest.raises(ValueError, match="nowhere"):
        OpenClip(model="local-dir:nowhere").prepare()
