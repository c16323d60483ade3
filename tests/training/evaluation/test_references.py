"""References: held-out samples in their order, of the format of the stage, with the frames that the model is given."""

from types import SimpleNamespace

import numpy as np
import pytest
from clipset import gray_clip, overwrite, picture, put_set
from PIL import Image

from shards.reader import ShardSet
from shards.store import write_json
from shards.video import open_video
from training.bucket import Bucket
from training.conditioning import Conditioning
from training.data import StageData
from training.evaluation.real_videos import RealVideos
from training.evaluation.references import write_references
from training.given import Given
from training.pictures import read_mp4

SHAPE = (4, 16, 24)


def stage(folder, clips, given=None, **data):
    """What references read of a stage: its data, never opened for training, and its conditioning."""
    put_set(folder / "pretrain" / "val", clips)
    write_json(folder / "pretrain" / "manifest.json", {})
    told = {"buckets": [Bucket(*SHAPE)], "fps": (8.0,), "batch_size": 2} | data
    model = SimpleNamespace(conditioning=Conditioning(given=given))
    return SimpleNamespace(data=StageData(str(folder), **told), model=model)


def seen(stage):
    """Key, caption and frames of all."""
    videos = RealVideos(stage.data, stage.model.conditioning, 9)
    return [(each.key, each.caption, each.frames) for each in videos.read(range(len(videos)))]


def test_the_first_samples_are_written_as_the_stage_sees_them(tmp_path):
    made = stage(tmp_path / "shards", [gray_clip(number, first=number) for number in range(4)])
    found, frames = write_references(made, tmp_path / "out", 3), seen(made)
    assert [each.key for each in found] == [key for key, _, _ in frames[:3]] and len(frames) == 4
    for each, (_, caption, numbers) in zip(found, frames, strict=False):
        assert (each.caption, each.given) == (caption, ()) and numbers.shape == (*SHAPE, 3)
        assert np.abs(read_mp4(each.video).astype(int) - numbers.numpy()).mean() <= 3
        with open_video(str(each.video)) as video:
            assert float(video.info.frame_rate) == pytest.approx(8)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{key}.mp4" for key, _, _ in frames[:3]]


def test_samples_of_another_format_are_passed_over(tmp_path):
    buckets = [Bucket(*SHAPE), Bucket(1, 16, 24)]
    clips = [picture(0), gray_clip(1), gray_clip(2, num_frames=4), gray_clip(3)]
    of_videos = seen(stage(tmp_path, clips, buckets=buckets))
    assert [key for key, _, _ in of_videos] == [clips[1].meta["key"], clips[3].meta["key"]]


@pytest.mark.parametrize(("frames", "places"), [("first", [0]), ("ends", [0, 3])])
def test_given_frames_are_those_of_the_sample_without_loss(tmp_path, frames, places):
    made = stage(tmp_path / "shards", [gray_clip(1)], Given(frames=frames))
    (found,), ((key, _, numbers),) = write_references(made, tmp_path, 1), seen(made)
    assert [path.name for path in found.given] == [f"{key}-{number}.png" for number in range(len(places))]
    for path, place in zip(found.given, places, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), numbers[place].numpy())


def test_files_of_other_data_by_the_same_key_are_replaced(tmp_path):
    kept = []
    for first in (0, 20):
        made = stage(tmp_path / str(first), [gray_clip(1, first=first)], Given())
        (found,) = write_references(made, tmp_path / "out", 1)
        kept.append((read_mp4(found.video), np.asarray(Image.open(found.given[0]))))
        assert np.array_equal(kept[-1][1], seen(made)[0][2][0].numpy())
    assert all(np.abs(one.astype(int) - other).max() > 9 for one, other in zip(*kept, strict=True))


@pytest.mark.parametrize("clips", [[gray_clip(0, num_frames=3)], [picture(0)]])
def test_where_nothing_fits_the_way_out_is_told(tmp_path, clips):
    buckets = [Bucket(*SHAPE), Bucket(1, 16, 24)]
    with pytest.raises(ValueError, match=r"pretrain holds out no sample .* larger pack\.val_share"):
        write_references(stage(tmp_path / "shards", clips, buckets=buckets), tmp_path / "out", 4)
    assert not (tmp_path / "out").exists()


def test_a_sample_that_cannot_be_read_is_left_out_and_keeps_its_number(tmp_path):
    made = stage(tmp_path / "shards", [gray_clip(number) for number in range(3)])
    overwrite(ShardSet(tmp_path / "shards" / "pretrain" / "val"), 1, b"no video" * 100)
    videos = RealVideos(made.data, made.model.conditioning, 3)
    assert len(videos) == 3 and [each.number for each in videos.read(range(3))] == [0, 2]
    for broken in (0, 2):
        overwrite(ShardSet(tmp_path / "shards" / "pretrain" / "val"), broken, b"no video" * 100)
    with pytest.raises(ValueError, match="none of the 3 held-out samples"):
        write_references(made, tmp_path / "out", 3)
