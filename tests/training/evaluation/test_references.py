"""References: held-out samples in their order, of the format of the stage, with the frames that the model is given."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from shards.video import open_video
from training.evaluation.references import write_references
from training.given import Given
from training.pictures import read_mp4

SHAPE = (3, 16, 24)


def shown(number, shape=SHAPE):
    """Frames of a sample: each of a gray of its own, with stripes too faint for a picture that is packed with loss."""
    levels = 20 + 30 * number + 5 * np.arange(shape[0])[:, None, None, None] + np.arange(shape[2])[:, None] % 2
    return np.broadcast_to(levels.astype(np.uint8), (*shape, 3)).copy()


class HeldOut:
    """Batches as a stream of held-out samples gives them, one after the other."""

    def __init__(self, *batches):
        self.batches, self.sources = batches, [range(sum(map(len, batches)))]

    def first(self, number):
        assert number == len(self.sources[0])
        for numbers, shape in ((each, getattr(each, "shape", SHAPE)) for each in self.batches):
            frames = torch.from_numpy(np.stack([shown(n, shape) for n in numbers]))
            yield SimpleNamespace(keys=[f"k{n}" for n in numbers], captions=[f"c{n}" for n in numbers], frames=frames)


class OfOtherSize(list):
    shape = (3, 32, 48)


class OfOtherLength(list):
    shape = (2, 16, 24)


def stage(held_out, given=None):
    bucket = SimpleNamespace(num_frames=SHAPE[0], height=SHAPE[1], width=SHAPE[2])
    data = SimpleNamespace(folder=Path("packed/pretrain"), bucket=bucket, held_out=held_out, sampling_fps=7.0)
    return SimpleNamespace(data=data, model=SimpleNamespace(conditioning=SimpleNamespace(given=given)))


def test_the_first_samples_are_written_as_the_stage_sees_them(tmp_path):
    found = write_references(stage(HeldOut([0, 1], [2, 3])), tmp_path, 3)
    assert [(each.key, each.caption, each.given) for each in found] == [(f"k{n}", f"c{n}", ()) for n in range(3)]
    for number, each in enumerate(found):
        assert np.abs(read_mp4(each.video).astype(int) - shown(number)).max() <= 3
        with open_video(str(each.video)) as video:
            assert float(video.info.frame_rate) == pytest.approx(7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k0.mp4", "k1.mp4", "k2.mp4"]


def test_samples_of_another_format_are_passed_over(tmp_path):
    held_out = HeldOut(OfOtherSize([0, 1]), [2], OfOtherLength([3]), [4])
    assert [each.key for each in write_references(stage(held_out), tmp_path, 9)] == ["k2", "k4"]


@pytest.mark.parametrize(("frames", "places"), [("first", [0]), ("ends", [0, 2])])
def test_given_frames_are_those_of_the_sample_without_loss(tmp_path, frames, places):
    (found,) = write_references(stage(HeldOut([1]), Given(frames=frames)), tmp_path, 1)
    assert [path.name for path in found.given] == [f"k1-{number}.png" for number in range(len(places))]
    for path, place in zip(found.given, places, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), shown(1)[place])


def test_files_of_other_data_by_the_same_key_are_replaced(tmp_path):
    write_references(stage(HeldOut([1]), Given()), tmp_path, 1)
    other = HeldOut([1])
    other.first = lambda number: iter(
        [SimpleNamespace(keys=["k1"], captions=["c1"], frames=torch.from_numpy(shown(5))[None])]
    )
    (found,) = write_references(stage(other, Given()), tmp_path, 1)
    assert np.abs(read_mp4(found.video).astype(int) - shown(5)).max() <= 3
    assert np.array_equal(np.asarray(Image.open(found.given[0])), shown(5)[0])


@pytest.mark.parametrize("held_out", [None, HeldOut(), HeldOut(OfOtherSize([0]))])
def test_where_nothing_fits_the_way_out_is_told(tmp_path, held_out):
    with pytest.raises(ValueError, match=r"packed/pretrain holds out no sample .* larger pack\.val_share"):
        write_references(stage(held_out), tmp_path, 4)
    assert not list(tmp_path.iterdir())
