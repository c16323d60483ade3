"""Where sampled videos land and what they are made with, with a model that paints one colour a seed."""

import json
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from shards.store import write_json
from shards.video import open_video
from training import generate as module
from training.captions import Wanted
from training.generate import Sampling, sample, sample_overview
from training.run import Run, file_hash
from training.samples import SAMPLES


class Painter:
    """In the place of a model: remembers what it was asked."""

    codec = None

    def __init__(self) -> None:
        self.asked: list[tuple] = []

    def to(self, device):
        self.asked.append(("to", device))
        return self

    def eval(self):
        return self

    def load_frozen(self, device) -> None:
        self.asked.append(("load_frozen", device))

    def generate(self, captions, bucket, fps, seeds, given):
        assert given is None
        assert len(captions) == len(seeds)
        self.asked.append(("generate", captions, bucket, fps, seeds))
        colours = torch.tensor(seeds)[:, None, None, None, None] * 20 % 256
        return colours.expand(-1, 3, 32, 48, 3).to(torch.uint8)

    @property
    def batches(self):
        return [(asked[1], asked[4]) for asked in self.asked if asked[0] == "generate"]


BUCKET = SimpleNamespace(num_frames=3, height=32, width=48)


@pytest.fixture
def painter(monkeypatch):
    painter, device = Painter(), torch.device("cpu")
    painter.sampler = {"num_steps": 4}
    stage = SimpleNamespace(
        model=painter,
        data=SimpleNamespace(bucket=BUCKET, sampling_fps=12),
        trainer=lambda **_: SimpleNamespace(strategy=SimpleNamespace(root_device=device)),
        to_yaml=lambda: json.dumps({"model": {"sampler": painter.sampler, "guidance": {"scale": 2.0}}}),
        settings=lambda: {"model.conditioning": 1},
    )

    def build_stage(files, arguments):
        painter.asked.append(("build", files, arguments))
        return stage

    monkeypatch.setattr(module, "build_stage", build_stage)
    monkeypatch.setattr(module, "check_frozen", lambda run, model: None)
    monkeypatch.setattr(module, "load_weights", lambda of, path: painter.asked.append(("weights", of is stage, path)))
    return painter


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "3")
    run.folder.mkdir()
    run.ema_weights.write_text("averaged")
    run.raw_weights.write_text("last")
    weights = {path.name: file_hash(path) for path in (run.ema_weights, run.raw_weights)}
    write_json(run.folder / "stage.json", {"finished": True, "weights": weights, "made_from": {}})
    return run


def sampled(run, folder, *wanted, **how):
    return list(sample(run, [Wanted(*each) for each in wanted], folder, [], Sampling(**how)))


def test_it_samples_with_the_averaged_weights_and_the_configuration_of_the_run(painter, run, tmp_path):
    list(sample(run, [Wanted("a red circle", 7)], tmp_path, ["--x", "1"]))
    assert painter.asked == [
        ("build", [run.config], ["--x", "1"]),
        ("weights", True, run.ema_weights),
        ("to", torch.device("cpu")),
        ("load_frozen", torch.device("cpu")),
        ("generate", ["a red circle"], BUCKET, 12, [7]),
    ]


def test_the_files_of_a_video_lie_side_by_side(painter, run, tmp_path):
    (made,) = sampled(run, tmp_path / "out", ("a red circle", 7))
    stem = str(tmp_path / "out" / "a-red-circle-7")
    assert [str(path) for path in (made.video, made.animation, made.sheet)] == [
        f"{stem}.{x}" for x in ("mp4", "gif", "png")
    ]
    with open_video(str(made.video)) as video:
        assert video.info.frame_rate == 12
        assert [round(frame.rgb(48, 32).mean() / 4) for frame in video.frames()] == [35] * 3
    with Image.open(made.animation) as animation, Image.open(made.sheet) as sheet:
        assert animation.format == "GIF" and animation.size == (48, 32) and sheet.width > 3 * 48


def test_a_row_says_what_a_video_was_made_with(painter, run, tmp_path):
    sampled(run, tmp_path / "out", ("A red circle", 7))
    table = pq.read_table(tmp_path / "out" / "samples.parquet")
    assert [(f.name, f.metadata) for f in table.schema] == [(f.name, f.metadata) for f in SAMPLES]
    (row,) = table.to_pylist()
    assert len(row.pop("settings_sha256")) == 64 and row == {
        "caption": "A red circle", "images_sha256": [], "seed": 7, "stage": "3",
        "video": "a-red-circle-7.mp4", "animation": "a-red-circle-7.gif", "sheet": "a-red-circle-7.png",
        "weights": "ema.safetensors", "weights_sha256": file_hash(run.ema_weights),
        "sampler": '{"num_steps": 4}', "guidance": '{"scale": 2.0}',
        "num_frames": 3, "height_px": 32, "width_px": 48, "fps": 12.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("caption", "stem"),
    [
        ("A Red circle, moving (left)!", "a-red-circle-moving-left-0"),
        ("../../etc/passwd", "etc-passwd-0"),
        ("  ", "no-caption-0"),
        ("", "no-caption-0"),
    ],
)
def test_any_caption_makes_a_name_for_files(painter, run, tmp_path, caption, stem):
    (made,) = sampled(run, tmp_path, (caption, 0))
    assert made.video == tmp_path / f"{stem}.mp4" and made.video.exists()


@pytest.mark.parametrize(
    ("batch", "batches"), [(1, [[1], [2], [3], [4], [9]]), (2, [[1, 2], [3, 4], [9]]), (9, [[1, 2, 3, 4, 9]])]
)
def test_a_list_is_sampled_in_batches_and_each_line_has_its_seed(painter, run, tmp_path, batch, batches):
    wanted = [(f"caption {seed}", seed) for seed in (1, 2, 3, 4, 9)]
    made = sampled(run, tmp_path / "out", *wanted, batch=batch)
    assert painter.batches == [([f"caption {seed}" for seed in seeds], seeds) for seeds in batches]
    assert [each.caption for each in made] == [caption for caption, _ in wanted]
    for each, (_, seed) in zip(made, wanted, strict=True):
        with open_video(str(each.video)) as video:
            assert next(video.frames()).rgb(48, 32).mean() == pytest.approx(20 * seed, abs=4)
    assert [row["seed"] for row in pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()] == [1, 2, 3, 4, 9]


def test_a_list_that_was_interrupted_goes_on(painter, run, tmp_path):
    wanted = [Wanted("a", 1), Wanted("b", 2), Wanted("c", 3)]
    going = sample(run, wanted, tmp_path / "out", [], Sampling(batch=2))
    first = next(going)
    going.close()  # the second of the batch is announced, but has no files
    stamp = first.video.stat().st_mtime_ns
    painter.asked.clear()
    made = sampled(run, tmp_path / "out", ("a", 1), ("b", 2), ("c", 3))
    assert painter.batches == [(["b"], [2]), (["c"], [3])] and [each.caption for each in made] == ["a", "b", "c"]
    assert first.video.stat().st_mtime_ns == stamp
    painter.asked.clear()
    assert sampled(run, tmp_path / "out", ("b", 2), ("a", 1))[0].caption == "b"
    assert [asked[0] for asked in painter.asked] == ["build"]  # not even the weights are loaded


def test_other_settings_overwrite_nothing_unless_forced(painter, run, tmp_path):
    (made,) = sampled(run, tmp_path / "out", ("a", 1))
    before = made.video.read_bytes()
    painter.sampler = {"num_steps": 5}
    with pytest.raises(ValueError, match=r"a-1\.mp4 was made with another sampler"):
        sampled(run, tmp_path / "out", ("new", 1), ("a", 1))
    with pytest.raises(ValueError, match=r"a-1\.mp4 was made with another caption 'a'"):
        sampled(run, tmp_path / "out", ("A!", 1))
    assert made.video.read_bytes() == before and not (tmp_path / "out" / "new-1.mp4").exists()
    sampled(run, tmp_path / "out", ("a", 1), force=True)
    assert pq.read_table(tmp_path / "out" / "samples.parquet")["sampler"].to_pylist() == ['{"num_steps": 5}']


def test_raw_weights_have_files_of_their_own(painter, run, tmp_path):
    sampled(run, tmp_path / "out", ("a", 1))
    (made,) = sampled(run, tmp_path / "out", ("a", 1), raw=True)
    assert made.video.name == "a-1-raw.mp4" and ("weights", True, run.raw_weights) in painter.asked
    rows = pq.read_table(tmp_path / "out" / "samples.parquet").to_pylist()
    assert [row["weights_sha256"] for row in rows] == [file_hash(run.ema_weights), file_hash(run.raw_weights)]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("others")])
def test_raw_weights_that_are_not_those_written(painter, run, tmp_path, damage):
    damage(run.raw_weights)
    with pytest.raises(ValueError, match=r"raw\.safetensors is not what stage 3 wrote"):
        sampled(run, tmp_path / "out", ("a", 1), raw=True)
    assert len(sampled(run, tmp_path / "out", ("a", 1))) == 1


def test_an_overview_shows_all_videos_of_a_list(painter, run, tmp_path):
    made = sampled(run, tmp_path / "out", ("a", 1), ("b", 2))
    path = sample_overview(tmp_path / "out", "list", made)
    assert path == tmp_path / "out" / "overview_list.png"
    with Image.open(path) as overview, Image.open(made[0].sheet) as sheet:
        assert overview.size == (sheet.width, 2 * sheet.height)


def test_a_batch_holds_a_video():
    with pytest.raises(ValueError, match="batch must be at least 1"):
        Sampling(batch=0)
