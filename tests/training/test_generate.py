"""Where a sampled video lands and what it is made with, with a model that paints one colour."""

from types import SimpleNamespace

import pytest
import torch

from shards.video import open_video
from training import generate as module
from training.generate import sample
from training.recipe import Run


class Painter:
    """In the place of a model: remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple] = []

    def to(self, device):
        self.asked.append(("to", device))
        return self

    def eval(self):
        return self

    def load_frozen(self, device) -> None:
        self.asked.append(("load_frozen", device))

    def generate(self, captions, bucket, fps, seed):
        self.asked.append(("generate", captions, bucket, fps, seed))
        return torch.full((1, 3, 32, 48, 3), 100, dtype=torch.uint8)


@pytest.fixture
def painter(monkeypatch):
    painter, device = Painter(), torch.device("cpu")
    painter.codec = None
    stage = SimpleNamespace(
        model=painter,
        data=SimpleNamespace(bucket="the bucket", fps=(12, 24)),
        trainer=lambda **_: SimpleNamespace(strategy=SimpleNamespace(root_device=device)),
    )

    def build_stage(files, arguments):
        painter.asked.append(("build", files, arguments))
        return stage

    monkeypatch.setattr(module, "build_stage", build_stage)
    monkeypatch.setattr(module, "check_codec", lambda run, codec: None)
    monkeypatch.setattr(module, "load_weights", lambda of, path: painter.asked.append(("weights", of is stage, path)))
    return painter


def test_it_samples_with_the_averaged_weights_and_the_configuration_of_the_run(painter, tmp_path):
    run = Run(tmp_path / "3")
    sample(run, "a red circle", 7, tmp_path, ["--x", "1"])
    assert painter.asked == [
        ("build", [run.config], ["--x", "1"]),
        ("weights", True, run.ema_weights),
        ("to", torch.device("cpu")),
        ("load_frozen", torch.device("cpu")),
        ("generate", ["a red circle"], "the bucket", 12, 7),
    ]


def test_the_video_and_its_sheet_lie_side_by_side(painter, tmp_path):
    sampled = sample(Run(tmp_path / "3"), "a red circle", 7, tmp_path / "out", [])
    assert sampled.video == tmp_path / "out" / "a-red-circle-7.mp4"
    assert sampled.sheet == tmp_path / "out" / "a-red-circle-7.png" and sampled.sheet.exists()
    with open_video(str(sampled.video)) as video:
        assert video.info.frame_rate == 12
        assert [round(frame.rgb(48, 32).mean() / 4) for frame in video.frames()] == [25] * 3


@pytest.mark.parametrize(
    ("caption", "stem"),
    [
        ("A Red circle, moving (left)!", "a-red-circle-moving-left-0"),
        ("../../etc/passwd", "etc-passwd-0"),
        ("  ", "no-caption-0"),
        ("", "no-caption-0"),
    ],
)
def test_any_caption_makes_a_name_for_files(painter, tmp_path, caption, stem):
    sampled = sample(Run(tmp_path / "3"), caption, 0, tmp_path, [])
    assert sampled.video == tmp_path / f"{stem}.mp4" and sampled.video.exists()


def test_seeds_and_captions_are_told_apart_and_equal_ones_overwrite(painter, tmp_path):
    for caption, seed in (("a", 1), ("a", 2), ("b", 1), ("a", 1)):
        sample(Run(tmp_path / "3"), caption, seed, tmp_path / "out", [])
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a-1.mp4", "a-1.png", "a-2.mp4", "a-2.png", "b-1.mp4", "b-1.png"]
