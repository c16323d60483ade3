"""Stages that are given frames, through the command line: they train, sample from pictures, refuse what misfits."""

import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.config import build_stage
from training.recipe import Recipe
from training.run import Run

CLIP = "curation/demo/weights/clip"
VIDEO = {"data": {"buckets": [{"num_frames": 4, "height": 16, "width": 24}]}}
TOLD = [{"source": "fps", "offset": -1}, {"source": "noise"}]


class GivenRecipe(TinyRecipe):
    """Text to video, image to video from it, interpolation from that."""

    def __init__(self, root) -> None:
        super().__init__(root, samples_per_stage=8)
        text = {"init_args": {"model": f"local-dir:{CLIP}", "projected": True}}
        plain = {"denoiser": {"init_args": {"cross_attention_dim": 128}}, "text": text}
        self.write("1", VIDEO | {"model": plain})
        encoder = {"class_path": "training.image_encoder.OpenClipImage", "init_args": {"path": CLIP}}
        told = {"given": {"frames": "first"}, "micro": TOLD}
        first = {"denoiser": {"init_args": {"cross_attention_dim": 128, "in_channels": 8}}, "text": text}
        first |= {"image_encoder": encoder, "conditioning": told}
        self.write("2", VIDEO | {"init_from": "1", "model": first, "watch": {"captions": ["a cat"]}})
        ends = {"given": {"frames": "ends", "embedding": False}, "micro": TOLD}
        masked = {"cross_attention_dim": 128, "in_channels": 9, "num_given_channels": 4}
        last = {"denoiser": {"init_args": masked}, "text": text, "conditioning": ends}
        self.write("3", VIDEO | {"init_from": "2", "model": last, "watch": {"captions": ["a cat"]}})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    recipe = GivenRecipe(tmp_path_factory.mktemp("given"))
    recipe.pack()
    assert main(recipe.train("all")) == 0
    return recipe


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (60, 40), (200, 30, 30)).save(tmp_path / "red.png")
    return str(tmp_path / "red.png")


def sample(recipe, out, *arguments):
    command = ["sample", "--recipe", str(recipe.recipe), "--runs", str(recipe.runs), "--out", str(out)]
    return main([*command, *arguments])


def test_stages_hand_over_and_show_videos_of_held_out_frames(trained):
    for stage in "23":
        assert Run(trained.runs / stage).is_finished
        names = sorted(path.name for path in (trained.runs / stage / "videos").iterdir())
        assert names == ["000000008-0-raw.mp4", "000000008-0.mp4"]
    record = Run(trained.runs / "2").record
    assert record and len(record["made_from"]["image_encoder_weights"]) == 64
    assert [Run(trained.runs / stage).num_given for stage in "123"] == [0, 1, 2]


def test_the_stage_is_chosen_by_what_is_given(trained, picture, tmp_path, capsys):
    assert sample(trained, tmp_path / "t", "--caption", "a cat") == 0
    assert sample(trained, tmp_path / "i", "--image", picture) == 0
    assert sample(trained, tmp_path / "l", "--image", picture, "--last-image", picture, "--caption", "a cat") == 0
    stages = [pq.read_table(tmp_path / name / "samples.parquet").to_pylist()[0]["stage"] for name in "til"]
    assert stages == ["1", "2", "3"] and (tmp_path / "i" / "red-0.mp4").exists()
    assert (tmp_path / "l" / "red-red-a-cat-0.mp4").exists()


def test_pictures_of_a_list_lie_beside_it(trained, picture, tmp_path):
    (tmp_path / "list.csv").write_text("image,seed\nred.png,4\n")
    assert sample(trained, tmp_path / "out", "--captions", str(tmp_path / "list.csv")) == 0
    assert sample(trained, tmp_path / "one", "--image", picture, "--seed", "4") == 0
    assert (tmp_path / "out" / "red-4.mp4").read_bytes() == (tmp_path / "one" / "red-4.mp4").read_bytes()


def test_another_picture_of_the_same_name_is_not_taken_for_the_old_one(trained, picture, tmp_path, capsys):
    assert sample(trained, tmp_path / "out", "--image", picture) == 0
    Image.new("RGB", (60, 40), (30, 30, 200)).save(picture)
    assert sample(trained, tmp_path / "out", "--image", picture) == 1
    assert "images_sha256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stage", "2", "--caption", "a cat"], "stage 2 is given 1 frames (IMAGE=, LAST_IMAGE=), not 0"),
        (["--stage", "1", "--image", "red.png"], "stage 1 is given 0 frames"),
        (["--image", "none.png"], "there is no picture none.png"),
        ([], "--caption, --captions or --image"),
        (["--last-image", "red.png"], "--last-image needs --image"),
        (["--captions", "list.txt", "--image", "red.png"], "a list names its pictures itself"),
    ],
)
def test_what_does_not_suit_the_stage_is_told(trained, tmp_path, capsys, arguments, words):
    assert sample(trained, tmp_path / "out", *arguments) == 1
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_file_that_is_no_picture_is_named(trained, tmp_path, capsys):
    (tmp_path / "red.png").write_text("no picture")
    assert sample(trained, tmp_path / "out", "--image", str(tmp_path / "red.png")) == 1
    assert str(tmp_path / "red.png") in capsys.readouterr().err


def test_embedding_and_frames_reach_the_denoiser_and_are_left_out(trained):
    given = "--model.conditioning.given"
    settings = [f"{given}.dropout", "0.5", f"{given}.sampling_noise", "0"]
    stage = build_stage(Recipe(trained.recipe).files("2"), settings)
    stage.open()
    model = stage.model
    model.load_frozen(torch.device("cpu"))
    batch = stage.data.stream[0]
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(batch))]
    told = model.conditioner.of_batch(batch, 4, generators, learning=False)  # sampling_noise is 0
    assert told.given is not None and told.text.shape == (2, 1, 128) and told.given.shape == (2, 4, 4, 2, 3)
    assert torch.equal(told.given[:, 0], told.given[:, 3]) and told.micro[:, 1].tolist() == [0, 0]
    unscaled = model.codec.encode(batch.frames[:, :1])[:, 0] / model.codec._scale + model.codec._shift
    assert torch.allclose(told.given[:, 0], unscaled, atol=1e-5), "the autoencoder's own"
    kept = 0
    for seed in range(60):
        generators = [torch.Generator().manual_seed(60 * number + seed) for number in range(len(batch))]
        drawn = model.conditioner.of_batch(batch, 4, generators, learning=True)
        assert drawn.given is not None
        kept += int(drawn.given.flatten(1).any(1).sum())
    assert 40 < kept < 80


@pytest.mark.parametrize(
    ("stage", "arguments", "words"),
    [
        (
            "3",
            ["--data.buckets", '[{"num_frames": 2, "height": 16, "width": 24}]'],
            "gives 2 frames: a bucket needs more",
        ),
        ("2", ["--model.image_encoder", "null"], "needs model.image_encoder"),
        ("2", ["--model.denoiser.init_args.in_channels", "4"], "4 of given frames"),
        ("3", ["--model.denoiser.init_args.num_given_channels", "0"], "num_given_channels"),
        ("1", ["--model.conditioning.micro", '[{"source": "noise"}]'], "set conditioning.given"),
    ],
)
def test_a_stage_that_cannot_be_is_refused_before_it_starts(trained, tmp_path, capsys, stage, arguments, words):
    command = [*trained.train(stage, *arguments)]
    assert main([*command, "--force"]) == 1
    assert words in capsys.readouterr().err
    assert Run(trained.runs / stage).is_finished, "nothing was moved"
