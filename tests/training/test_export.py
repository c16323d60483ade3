"""A stage as a folder of diffusers: its pipeline loads it and samples the frames that we do."""

import json

import numpy as np
import pytest
import torch
from diffusers import StableVideoDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from test_image_to_video import GivenRecipe

from shards.store import read_json, write_json
from training.__main__ import main
from training.config import build_stage
from training.fit import load_weights
from training.run import Run, file_hash

SIZE = {"num_frames": 4, "height": 64, "width": 96}  # of smaller latents the tiny network is ill-conditioned


class Exported(GivenRecipe):
    """Its second stage is told what diffusers' pipeline tells."""

    def __init__(self, root) -> None:
        super().__init__(root)
        codec = root / "vae" / "config.json"  # whose latents are shifted, which the pipeline knows nothing of
        write_json(codec, read_json(codec) | {"shift_factor": 0.4})
        two = yaml_of(self, "2")
        two["model"]["conditioning"]["micro"] = [
            {"source": "fps", "offset": -1},
            {"source": "motion_bucket", "sampling": 100},
            {"source": "noise"},
        ]
        two["model"]["guidance"] = {"class_path": "training.guidance.LinearGuidance", "init_args": {"last": 3.0}}
        two["model"]["sampler"] = {"num_steps": 5, "sigma_max": 20}
        for name in "12":
            stage = two if name == "2" else yaml_of(self, name)
            stage["model"]["denoiser"]["init_args"] |= {"num_micro": 3}
            self.write(name, stage)
        one = yaml_of(self, "1")
        one["model"]["conditioning"] = {"micro": [{"source": "fps"}, {"source": "zero"}, {"source": "zero"}]}
        self.write("1", one)


def yaml_of(recipe, name):
    import yaml

    return yaml.safe_load((recipe.recipe / f"{name}.yaml").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    recipe = Exported(tmp_path_factory.mktemp("export"))
    recipe.pack(motion_bucket=7)
    assert main(recipe.train("1")) == 0 and main(recipe.train("2")) == 0
    heed(Run(recipe.runs / "2"))
    return recipe


def heed(run):
    """Makes the model, which has hardly learnt, heed what it is told: else no condition would show."""
    weights = load_file(run.ema_weights)
    for name, weight in weights.items():
        if "add_embedding" in name or "attn2.to_v" in name:
            weight *= 30
    generator = torch.Generator().manual_seed(0)
    given = weights["unet.conv_in.weight"][:, 4:]
    given[:] = 0.3 * torch.randn(given.shape, generator=generator)
    save_file(weights, run.ema_weights)
    record = run.record or {}
    run.write_record(record | {"weights": record["weights"] | {run.ema_weights.name: file_hash(run.ema_weights)}})


def export(recipe, out, stage="2", *arguments):
    folders = ["--recipe", str(recipe.recipe), "--runs", str(recipe.runs)]
    return main(["export", *folders, "--stage", stage, "--out", str(out), *arguments])


def test_diffusers_samples_our_frames_from_it(trained, tmp_path):
    assert export(trained, tmp_path / "out") == 0
    pipeline = StableVideoDiffusionPipeline.from_pretrained(tmp_path / "out")
    pipeline.set_progress_bar_config(disable=True)
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    told = {"num_inference_steps": 5, "min_guidance_scale": 1.0, "max_guidance_scale": 3.0, "output_type": "np"}
    told |= {"fps": 8, "motion_bucket_id": 100, "noise_aug_strength": 0.02}
    told |= {"generator": torch.Generator().manual_seed(3)}
    theirs = pipeline(Image.fromarray(picture), **SIZE, **told).frames  # (B, T, H, W, 3), 0..1
    run = Run(trained.runs / "2")
    stage = build_stage([run.config], ["--data.buckets", json.dumps([SIZE])])
    load_weights(stage, run.ema_weights)
    stage.model.eval().load_frozen(torch.device("cpu"))

    def ours(fps, frame):
        return stage.model.generate([""], stage.data.bucket, fps, [3], torch.from_numpy(frame)[None, None]).numpy()

    expected = ours(8, picture).astype(float)
    assert theirs.shape == expected.shape and expected.std() > 5
    assert np.abs(theirs * 255 - expected).max() <= 1
    for other in (ours(9, picture), ours(8, picture[::-1].copy())):
        assert np.abs(other - expected).max() > 10, "another rate, or picture, would show"


def test_the_folder_says_where_the_weights_came_from(trained, tmp_path, capsys):
    assert export(trained, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "max_guidance_scale=3" in said and "fps=8" in said and "motion_bucket_id=100" in said
    assert read_json(tmp_path / "out" / "rushes.json")["record"] == Run(trained.runs / "2").record
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_what_stands_there_stays_and_what_has_no_such_form_is_told(trained, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    assert export(trained, tmp_path / "out") == 1
    assert "exists" in capsys.readouterr().err
    other = ["--model.conditioning.given.embedding", "false", "--model.image_encoder", "null"]
    assert export(trained, tmp_path / "new", "2", *other) == 1
    said = capsys.readouterr().err
    assert "model.conditioning.given" in said and "image_encoder" in said and not (tmp_path / "new").exists()


def test_without_a_stage_the_last_one_of_image_to_video_is_taken(trained, tmp_path, capsys):
    runs = tmp_path / "runs"
    for name, frames in (("1", "first"), ("2", None)):
        (runs / name).mkdir(parents=True)
        Run(runs / name).write_record({"finished": True, "made_from": {"model.conditioning.given.frames": frames}})
    assert main(["export", "--recipe", str(trained.recipe), "--runs", str(runs)]) == 1
    assert str(runs / "1" / "ema.safetensors") in capsys.readouterr().err
