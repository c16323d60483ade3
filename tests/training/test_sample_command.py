"""`make sample` as a whole, on a stage that was really trained: bytes, lists, batches, and what a user gets wrong."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tiny_recipe import TinyRecipe

from training.__main__ import main


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    tiny = TinyRecipe(tmp_path_factory.mktemp("sample"), samples_per_stage=2)
    tiny.pack()
    assert [main(tiny.train(stage)) for stage in "12"] == [0, 0]
    return tiny


def sample_list(tiny, path, out, *arguments):
    """Samples a list; the bytes of each mp4 by its name."""
    command = ["sample", "--recipe", str(tiny.recipe), "--runs", str(tiny.runs), "--captions", str(path)]
    assert main([*command, "--out", str(out), *arguments]) == 0
    return {video.name: video.read_bytes() for video in out.glob("*.mp4")}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--model.sampler", "training.sampler.HeunSampler", "--model.sampler.churn", "5"),
        ("--model.sampler", "training.sampler.DpmSolverSampler", "--model.sampler.num_steps", "3"),
        ("--model.guidance", "training.guidance.OscillatingGuidance", "--raw"),
    ],
)
def test_equal_seeds_give_equal_bytes(tiny, tmp_path, arguments):
    assert main(tiny.sample("a cat", "--seed", "5", "--out", str(tmp_path / "a"), *arguments)) == 0
    assert main(tiny.sample("a cat", "--seed", "5", "--out", str(tmp_path / "b"), *arguments)) == 0
    assert main(tiny.sample("a cat", "--seed", "6", "--out", str(tmp_path / "b"), *arguments)) == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 4
    for name in set(names) - {"samples.parquet"}:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "b" / name.replace("-5", "-6")).read_bytes() != (tmp_path / "a" / name).read_bytes()


def sheet(folder, name):
    return np.asarray(Image.open(folder / name.replace("mp4", "png"))).astype(int)


def test_a_line_gives_the_same_video_whatever_the_list_and_the_batch(tiny, tmp_path, capsys):
    lines = ["a red circle", "a blue star", "a cat", "waves"]
    (tmp_path / "long.txt").write_text("\n".join(lines))
    (tmp_path / "other.txt").write_text("\n".join(["something else", "", "a cat"]))
    whole = sample_list(tiny, tmp_path / "long.txt", tmp_path / "whole")
    assert set(whole) == {"a-red-circle-1.mp4", "a-blue-star-2.mp4", "a-cat-3.mp4", "waves-4.mp4"}
    assert f"4 videos on {tmp_path / 'whole' / 'overview_long.png'}" in capsys.readouterr().out
    assert (tmp_path / "whole" / "overview_long.png").exists()
    assert sample_list(tiny, tmp_path / "other.txt", tmp_path / "other")["a-cat-3.mp4"] == whole["a-cat-3.mp4"]
    assert main(tiny.sample("a cat", "--seed", "3", "--out", str(tmp_path / "one"))) == 0
    assert (tmp_path / "one" / "a-cat-3.mp4").read_bytes() == whole["a-cat-3.mp4"]
    sample_list(tiny, tmp_path / "long.txt", tmp_path / "batches", "--batch", "3")
    for name in whole:  # sums of other shapes round otherwise
        difference = np.abs(sheet(tmp_path / "whole", name) - sheet(tmp_path / "batches", name))
        assert difference.max() <= 1 and (difference > 0).mean() < 0.05
    assert len(pq.read_table(tmp_path / "batches" / "samples.parquet")) == 4


@pytest.mark.parametrize(
    ("list_name", "content", "arguments", "words"),
    [
        ("none.txt", None, (), "none.txt is no file"),
        ("empty.txt", "", (), "empty.txt holds no caption"),
        ("text.csv", "text\nx\n", (), "no column `caption`"),
        ("two.csv", "caption,seed\nA cat,1\na cat!,1\n", (), "two captions would be written to a-cat-1.mp4"),
        ("one.txt", "a", ("--batch", "0"), "batch must be at least 1"),
        ("one.txt", "a", ("--model.sampler.num_steps", "0"), "num_steps must be at least 1"),
    ],
)
def test_bad_lists_are_refused_before_anything_is_written(tiny, tmp_path, capsys, list_name, content, arguments, words):
    if content is not None:
        (tmp_path / list_name).write_text(content)
    command = [
        "sample",
        "--recipe",
        str(tiny.recipe),
        "--runs",
        str(tiny.runs),
        "--captions",
        str(tmp_path / list_name),
    ]
    assert main([*command, "--out", str(tmp_path / "out"), *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and words in said and not (tmp_path / "out").exists()


def test_nothing_is_overwritten_without_a_word(tiny, tmp_path, capsys):
    out = ("--out", str(tmp_path / "out"))
    assert main(tiny.sample("a cat", *out)) == 0
    before = (tmp_path / "out" / "a-cat-0.mp4").read_bytes()
    assert main(tiny.sample("a cat", *out)) == 0
    assert main(tiny.sample("a cat", *out, "--model.guidance.scale", "9")) == 1
    assert "was made with another guidance" in capsys.readouterr().err
    assert (tmp_path / "out" / "a-cat-0.mp4").read_bytes() == before
    assert main(tiny.sample("a cat", *out, "--model.guidance.scale", "9", "--force")) == 0


def test_a_caption_or_a_list_is_needed(tiny, capsys):
    assert main(["sample"]) == 1
    assert "--caption, --captions or --image" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["sample", "--caption", "a", "--captions", "b.txt"])
