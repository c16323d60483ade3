"""CLIPSIM with the demo CLIP on scenes of its world, against open_clip itself."""

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from benchmarks.held_out_scenes import held_out_scenes
from training.bucket import Bucket
from training.metrics.clipsim import ClipSim
from training.metrics.evaluation import Evaluation
from training.metrics.metric import Videos
from training.metrics.open_clip_frames import OpenClip
from training.run import content_hash

MODEL = "local-dir:curation/demo/weights/clip"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scenes() -> Videos:
    found = held_out_scenes(4, set(), Bucket(3, 64, 96), 5)
    frames = torch.stack([torch.from_numpy(scene.frames) for scene in found])
    return Videos(frames, [scene.caption for scene in found], 5.0)


def test_the_figure_is_the_mean_cosine_of_open_clip(scenes):
    found = ClipSim(OpenClip(MODEL)).load(CPU)(scenes)
    model, _, preprocess = open_clip.create_model_and_transforms(MODEL)
    said = model.eval().encode_text(open_clip.get_tokenizer(MODEL)(list(scenes.captions)), normalize=True)
    pictures = [preprocess(Image.fromarray(frame.numpy())) for frame in scenes.frames[2]]
    cosines = model.encode_image(torch.stack(pictures), normalize=True) @ said[2]
    assert found[2].item() == pytest.approx(cosines.mean().item(), abs=1e-4)


def test_own_captions_are_nearer_than_others(scenes):
    measure = ClipSim(OpenClip(MODEL)).load(CPU)
    others = Videos(scenes.frames, [*scenes.captions[1:], scenes.captions[0]], scenes.fps)
    assert (measure(scenes) > measure(others) + 0.3).all()


def test_the_figure_tells_model_and_weights(scenes):
    evaluation = Evaluation([ClipSim(OpenClip(MODEL)), ClipSim(OpenClip("local-dir:nowhere"), "none")], CPU)
    evaluation.add(range(4), scenes)
    found, none = evaluation.figures()
    assert found.value == pytest.approx(np.mean(list(evaluation.of_videos("clipsim").values())))
    assert (found.low, found.high) == (None, None), "4 videos are too few"
    assert found.weights_hash == content_hash(OpenClip(MODEL).weights())
    assert "CLIP clip with its own preprocessing" in found.protocol and "nowhere" not in found.protocol
    assert "needs the CLIP 'local-dir:nowhere'" in none.missing and none.weights_hash == ""
