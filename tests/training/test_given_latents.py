"""Stages that are given frames, from latents against from pixels: the given frames are decoded, the others are not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from clipset import put_set
from test_image_to_video import GivenRecipe
from test_latents import textured

from shards.store import write_json
from training.__main__ import main
from training.config import build_stage
from training.recipe import Recipe
from training.run import Run

RATES = "--data.fps=[8, 12]"


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """Stages 2 (first frame) and 3 (both ends), and one latent set for both; the first packed clip is too short."""
    recipe = GivenRecipe(tmp_path_factory.mktemp("given"))
    put_set(recipe.shards / "pretrain" / "train", [textured(9, 4), *(textured(k) for k in range(4))])
    put_set(recipe.shards / "pretrain" / "val", [textured(k) for k in (6, 7)])
    write_json(recipe.shards / "pretrain" / "manifest.json", {})
    recipe.latents = f"--data.latents={recipe.recipe.parent / 'latents'}"
    out = str(recipe.recipe.parent / "latents")
    assert main(["encode", "--recipe", str(recipe.recipe), "--stage", "2", "--out", out]) == 0
    return recipe


def opened(recipe, stage, *arguments):
    built = build_stage(Recipe(recipe.recipe).files(stage), [RATES, *arguments])
    built.open()
    return built


@pytest.mark.parametrize("name", ["2", "3"])
def test_given_frames_and_losses_are_those_of_training_from_pixels(encoded, name):
    pixels, latents = opened(encoded, name), opened(encoded, name, encoded.latents)
    model = pixels.model
    model.load_frozen(torch.device("cpu"))
    model.denoiser.eval()
    given, losses = model.conditioning.given, []
    for k in range(4):
        seen, read = pixels.data.stream[k], latents.data.stream[k]
        assert read.keys == seen.keys and read.frames.dtype == torch.float16
        assert torch.equal(read.given_frames(given), given.of(seen.frames)), "bit-equal, for noise comes on top"
        rounded = replace(read, frames=model.codec.encode(seen.frames).half(), given=given.of(seen.frames))
        losses.append([model.training_step(batch, 0)["loss"].item() for batch in (seen, read, rounded)])
    ours, theirs, as_rounded = np.array(losses).T
    np.testing.assert_allclose(theirs, as_rounded, rtol=1e-4)
    np.testing.assert_allclose(theirs, ours, rtol=1e-2)
    assert np.ptp(ours) > 0.02  # so that other frames or noise would show


@pytest.mark.parametrize("workers", ["0", "1"])
def test_stages_train_from_latents_and_show_videos(encoded, tmp_path, workers):
    encoded.runs = tmp_path / "runs"
    for stage in "23":
        options = ("--init_from", "null", "--data.workers", workers)
        assert main(encoded.train(stage, encoded.latents, *options)) == 0
        run = Run(encoded.runs / stage)
        assert len((run.record or {})["held_out_loss"]) == 2
        assert sorted(path.name for path in (run.folder / "videos").iterdir()) == [
            "000000008-0-raw.mp4",
            "000000008-0.mp4",
        ]
