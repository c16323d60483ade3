"""A text-to-video stage as a folder of diffusers: the pipeline in it samples the frames that we do."""

import ast
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from test_codec import tiny_temporal
from test_export import SIZE, export, heed
from tiny_recipe import TinyRecipe

from shards.store import read_json, write_json
from training.__main__ import main
from training.config import build_stage
from training.export import pipeline as shipped
from training.export.clip_text import clip_text
from training.export.command import form_of
from training.fit import load_weights
from training.run import Run

BUCKET = ("--data.buckets", json.dumps([SIZE]))
CAPTION = "a red circle moves left over a striped background"


class Captioned(TinyRecipe):
    """One stage, that begins with videos; and one of pictures."""

    def __init__(self, root) -> None:
        super().__init__(root, samples_per_stage=8)
        codec = root / "vae" / "config.json"
        write_json(codec, read_json(codec) | {"shift_factor": 0.4, "scaling_factor": 0.8})
        numbers = [
            {"source": "fps", "offset": -1},
            {"source": "motion_bucket", "sampling": 100},
            {"source": "zero"},
            {"source": "scores.motion", "sampling": 0.5, "scale": 100, "offset": 0.1},
        ]
        sizes = {"cross_attention_dim": 128, "num_micro": 4}
        model = {"denoiser": {"init_args": sizes}, "text": {"init_args": {"projected": True}}}
        model |= {"conditioning": {"micro": numbers}, "sampler": {"num_steps": 5, "sigma_max": 20}}
        model |= {"guidance": {"class_path": "training.guidance.LinearGuidance", "init_args": {"last": 3.0}}}
        small = {"data": {"buckets": [{"num_frames": 4, "height": 16, "width": 24}]}}
        self.write("1", small | {"model": model, "watch": {"captions": [CAPTION]}})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    recipe = Captioned(tmp_path_factory.mktemp("export-text"))
    recipe.pack(motion_bucket=7)
    assert main(recipe.train("1")) == 0
    heed(Run(recipe.runs / "1"))
    return recipe


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """diffusers copies the code of a pipeline there before it runs it."""
    monkeypatch.setattr("diffusers.utils.dynamic_modules_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    yield
    if str(tmp_path / "modules") in sys.path:
        sys.path.remove(str(tmp_path / "modules"))


def stage_of(run, *arguments):
    stage = build_stage([run.config], [*BUCKET, *arguments])
    load_weights(stage, run.ema_weights)
    stage.model.eval().load_frozen(torch.device("cpu"))
    return stage


def loaded(folder, **settings):
    pipeline = DiffusionPipeline.from_pretrained(folder, trust_remote_code=True, **settings)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def sampled(pipeline, *captions, **settings):
    """(B, T, H, W, 3), 0..255."""
    generator = [torch.Generator().manual_seed(3 + number) for number in range(len(captions))]
    return pipeline(list(captions), generator=generator, output_type="np", **settings).frames * 255


def test_the_pipeline_samples_our_frames(trained, tmp_path, capsys):
    out = tmp_path / "out"
    assert export(trained, out, "1", *BUCKET) == 0
    said = capsys.readouterr().out
    assert f'("{CAPTION}")' in said and "max_guidance_scale=3" in said and "motion_bucket_id=100" in said
    pipeline = loaded(out, custom_pipeline=str(out))
    stage = stage_of(Run(trained.runs / "1"))

    def ours(*captions):
        seeds = [3 + number for number in range(len(captions))]
        return stage.model.generate(captions, stage.data.bucket, 8, seeds).numpy().astype(float)

    captions = [CAPTION, "A blue star&#39;s tail!"]
    expected, theirs = ours(*captions), sampled(pipeline, *captions)
    assert theirs.shape == expected.shape and expected.std() > 5
    assert np.abs(theirs - expected).max() <= 1
    assert np.abs(sampled(pipeline, CAPTION) - expected[:1]).max() <= 1, "a video does not depend on its neighbours"
    others = {"fps": 12}, {"motion_bucket_id": 10}, {"scores": {"motion": 3}}, {"max_guidance_scale": 1}
    for other in others:
        assert np.abs(sampled(pipeline, CAPTION, **other) - expected[:1]).max() > 3, other
    assert np.abs(ours("a blue star") - expected[:1]).max() > 10, "another caption would show"
    assert len(pipeline(CAPTION, num_inference_steps=1, num_frames=2).frames[0]) == 2


def test_what_the_model_is_not_told_or_the_sizes_forbid_is_refused(trained, tmp_path):
    assert export(trained, tmp_path / "out", "1") == 0
    pipeline = loaded(tmp_path / "out")
    wrong = {"scores": {"beauty": 1}}, {"height": 63}, {"num_frames": 1}
    for settings, words in zip(wrong, ("not told scores.beauty", "multiples of 8", "at least 2"), strict=True):
        with pytest.raises(ValueError, match=words):
            pipeline(CAPTION, **settings)


def test_other_text_encoders_and_a_temporal_decoder_sample_our_frames_too(trained, tmp_path):
    text = tmp_path / "text"
    for part in clip_text(stage_of(Run(trained.runs / "1"), "--model.text.projected", "false").model.text):
        part.save_pretrained(text)
    tiny_temporal(tmp_path / "temporal")
    encoder = {"class_path": "training.text_transformers.TransformersText"}
    encoder |= {"init_args": {"path": str(text), "skip_last": 1, "max_length": 9}}
    codec = {"class_path": "training.codec.DiffusersCodec"}
    codec |= {"init_args": {"path": str(tmp_path / "temporal"), "factor": 2, "batch_size": 3}}
    parts = ("--model.text", json.dumps(encoder), "--model.codec", json.dumps(codec))
    sizes = ("--model.denoiser.cross_attention_dim", "64", "--data.buckets", json.dumps([SIZE | {"height": 32}]))
    torch.manual_seed(0)
    stage = build_stage([Run(trained.runs / "1").config], [*parts, *sizes])
    stage.model.eval().load_frozen(torch.device("cpu"))
    form_of(stage).write(stage, tmp_path / "out")
    expected = stage.model.generate([CAPTION], stage.data.bucket, 8, [3]).numpy().astype(float)
    theirs = sampled(loaded(tmp_path / "out"), CAPTION)
    assert theirs.shape == expected.shape and expected.std() > 5
    assert np.abs(theirs - expected).max() <= 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["--model.sampler", "training.sampler.HeunSampler"], "Euler's steps with rho 7"),
        (["--model.guidance", "training.guidance.DynamicGuidance"], "alike at every step"),
        (["--model.guidance", "training.guidance.TriangularGuidance"], "lies on a line"),
        (["--model.conditioning.captions", "none"], "model.conditioning.captions"),
        (["--data.buckets", json.dumps([SIZE | {"num_frames": 1}])], "the stage makes pictures"),
        (["--model.objective.preconditioning", "training.objective.EdmPreconditioning"], "output for v"),
        (["--model.objective.noise", "training.objective.OffsetNoise"], "independent noise"),
    ],
)
def test_what_the_pipeline_does_otherwise_is_told(trained, tmp_path, capsys, settings, words):
    assert export(trained, tmp_path / "out", "1", *BUCKET, *settings) == 1
    said = capsys.readouterr().err
    assert words in said and "stage 1 cannot be a text-to-video" in said
    assert not (tmp_path / "out").exists()


def test_a_text_to_video_stage_is_the_default_where_no_other_is_finished(trained, tmp_path, capsys):
    folders = ["--recipe", str(trained.recipe), "--runs", str(trained.runs)]
    assert main(["export", *folders, "--out", str(tmp_path / "out")]) == 0
    assert "stage 1 is now" in capsys.readouterr().out
    assert (tmp_path / "out" / "pipeline.py").read_text() == Path(shipped.__file__).read_text()


def test_the_pipeline_needs_nothing_of_ours():
    found = set()
    for node in ast.walk(ast.parse(Path(shipped.__file__).read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found |= {name.split(".")[0] for name in names}
    assert found - set(sys.stdlib_module_names) == {"torch", "diffusers", "transformers", "ftfy"}
