"""An evaluation from end to end: the same videos every time, beside their references, with figures that say what they are."""

from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest
import torch
import yaml
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.evaluation.tables import METRICS, VIDEOS, read_rows
from training.metrics.metric import Measure
from training.metrics.rows import MeanOfVideos
from training.pictures import read_mp4


@dataclass(frozen=True)
class Luma(MeanOfVideos):
    """Mean of all pixels: a metric whose value a test can tell by itself."""

    name: str = "luma"
    better = "neither"

    @property
    def protocol(self) -> str:
        return "mean of all pixels"

    def load(self, device: torch.device) -> Measure:
        return lambda videos: videos.frames.float().mean(dim=(1, 2, 3, 4))


@dataclass(frozen=True)
class Weightless(Luma):
    """A metric that lacks its weights."""

    name: str = "weightless"

    def load(self, device: torch.device) -> Measure:
        raise ValueError("needs a file that is not there: get it")


LUMA, WEIGHTLESS = ({"class_path": f"{__name__}.{each}"} for each in ("Luma", "Weightless"))


@pytest.fixture
def tiny(tmp_path):
    recipe = TinyRecipe(tmp_path)
    recipe.pack()
    assert main(recipe.train("all")) == 0
    tell(recipe, {"metrics": [LUMA, WEIGHTLESS], "num_videos": 2, "batch": 2, "seed": 5})
    return recipe


def tell(tiny, evaluation):
    path = tiny.recipe / "base.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"evaluation": evaluation}), encoding="utf-8")


def evaluate(tiny, *arguments):
    return main(["evaluate", "--recipe", str(tiny.recipe), "--runs", str(tiny.runs), *arguments])


class Page(HTMLParser):
    """Sources of the videos of a page."""

    def __init__(self, text):
        super().__init__()
        self.sources = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "video":
            self.sources.append(dict(attrs)["src"])


def test_figures_are_of_the_videos_that_the_page_shows(tiny, capsys):
    assert evaluate(tiny) == 0
    folder = tiny.runs / "2" / "evaluation"
    videos = read_rows(folder / "videos.parquet", VIDEOS)
    assert [row["seed"] for row in videos] == [5, 6]
    for row in videos:
        assert read_mp4(folder / row["reference"]).shape == read_mp4(folder / row["video"]).shape
        assert row["values"]["luma"] == pytest.approx(read_mp4(folder / row["video"]).mean(), abs=1e-3)
    luma, weightless = read_rows(folder / "metrics.parquet", METRICS)
    assert luma["value"] == pytest.approx(sum(row["values"]["luma"] for row in videos) / 2)
    assert luma["num_fake"] == 2 and "H.264" in luma["protocol"] and luma["stage"] == "2"
    assert weightless["value"] is None and "get it" in weightless["missing"]
    sources = [unquote(each) for each in Page((folder / "evaluation.html").read_text()).sources]
    assert sources == [each for row in videos for each in (row["video"], row["reference"])]
    assert all((folder / source).is_file() for source in sources)
    told = capsys.readouterr().out
    assert "stage 2: luma: " in told and "weightless: no value" in told


def test_a_second_evaluation_samples_nothing_and_says_the_same(tiny, monkeypatch):
    assert evaluate(tiny) == 0
    folder = tiny.runs / "2" / "evaluation"
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    monkeypatch.setattr("training.module.StageModule.generate", None)
    assert evaluate(tiny) == 0
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet")} == before


def test_other_weights_are_another_evaluation(tiny, capsys):
    assert evaluate(tiny) == 0
    assert evaluate(tiny, "--raw", "--out", str(tiny.runs / "raw")) == 0
    averaged, raw = (
        pq.read_table(folder / "metrics.parquet")["model_sha256"][0].as_py()
        for folder in (tiny.runs / "2" / "evaluation", tiny.runs / "raw")
    )
    assert averaged != raw
    assert evaluate(tiny, "--model.guidance.init_args.scale", "7") == 1
    assert "guidance" in (told := capsys.readouterr().err) and "--force" in told
    assert evaluate(tiny, "--model.guidance.init_args.scale", "7", "--force") == 0


@pytest.mark.parametrize(
    ("evaluation", "words"),
    [
        ({}, "no metrics"),
        ({"metrics": [LUMA, LUMA]}, "several metrics are called luma"),
        ({"metrics": [LUMA], "num_videos": 0}, "num_videos is at least 1"),
        ({"metrics": [{"class_path": "training.metrics.Nothing"}]}, "Nothing"),
        ({"metrics": [LUMA], "speed": 1}, "speed"),
    ],
)
def test_what_cannot_be_evaluated_is_said(tiny, capsys, evaluation, words):
    tell(tiny, evaluation)
    assert evaluate(tiny) == 1
    assert words in capsys.readouterr().err
    assert not (tiny.runs / "2" / "evaluation" / "metrics.parquet").exists()
