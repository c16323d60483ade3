from fractions import Fraction

import numpy as np
import pytest
import torch
from clipset import clip_of, gray_clip, overwrite, put_set
from footage import number_of, numbered_frame, write_video
from samples import make_sample

import training.clips
from shards.video import Video
from training.bucket import Bucket
from training.clips import ClipSource
from training.conditioning import Conditioning, Micro
from training.decode import cover
from training.rates import Rates
from training.sources import rng_of

BUCKET, PICTURE = Bucket(4, 64, 96), Bucket(1, 64, 96)
PLAIN = Conditioning((Micro("fps"), Micro("scores.motion", 100.0), Micro("zero")))


def source(folder, samples, bucket=BUCKET, fps=(8,), conditioning=PLAIN, **kwargs):
    return ClipSource(put_set(folder, samples), [bucket], Rates(fps), conditioning, **kwargs)


def numbers(example) -> list[int]:
    return [number_of(frame.numpy()) for frame in example.frames]


@pytest.fixture
def draw(monkeypatch):
    """Sets what is drawn for rate, start and caption."""

    def set_draws(rate=0.0, start=0.0, caption=0.0):
        monkeypatch.setattr(training.clips, "uniforms", lambda rng, count: np.array([rate, start, caption]))

    return set_draws


RNG = rng_of(0, 0, 0)


@pytest.mark.parametrize("start", [0.0, 0.07, 0.5, 0.66, 0.99])
def test_the_frames_shown_at_the_wanted_times_are_read(tmp_path, draw, start):
    """25 frames at 24 a second leave (24 - 9) / 24 s of room for 4 frames that are 1/8 s apart."""
    draw(start=start)
    example = source(tmp_path, [gray_clip(0)]).read(0, RNG)
    first = int(start * 15 + 1e-9)
    assert numbers(example) == [first, first + 3, first + 6, first + 9]
    assert example.frames.shape == (4, 64, 96, 3) and example.frames.dtype == torch.uint8
    assert example.key == make_sample(0).key


@pytest.mark.parametrize("start", np.linspace(0, 0.999, 9))
def test_a_late_window_is_sought_and_shows_the_same(tmp_path, draw, monkeypatch, start):
    starts, frames = [], Video.frames
    monkeypatch.setattr(Video, "frames", lambda video, start=None: starts.append(start) or frames(video, start))
    draw(start=start)
    example = source(tmp_path, [gray_clip(0, 100, 25.0)], fps=(12.5,)).read(0, RNG)
    first = int(start * (99 - 6) + 1e-9)
    assert numbers(example) == [k % 25 for k in range(first, first + 7, 2)]
    assert (starts != [None]) == (first > 14)


def varying(tmp_path, pts, **fields):
    """A sample of one gray frame at each of these milliseconds; the last one lasts 40 ms."""
    path = write_video(tmp_path / "a.mp4", [numbered_frame(k) for k in range(len(pts))], pts=pts, g="4")
    seconds = (pts[-1] + 40 - pts[0]) / 1000
    facts = {"fps": len(pts) / seconds, "num_frames": len(pts), "width": 96, "height": 64}
    return make_sample(0, path.read_bytes(), **(facts | fields))


@pytest.mark.parametrize("offset", [0, 3000])
@pytest.mark.parametrize("start", np.linspace(0, 0.999, 8))
def test_a_variable_rate_shows_what_stood_at_each_time(tmp_path, draw, start, offset):
    times = [0, 40, 200, 210, 500, 900, 933, 1000, 1040, 1080, 1120, 1160, 1200]  # 1240 ms, 13 frames
    clip = varying(tmp_path, [time + offset for time in times])
    draw(start=start)
    example = source(tmp_path / "set", [clip]).read(0, RNG)
    room = 12 / (13 / 1.24) - 3 / 8
    wanted = 1000 * (start * room + np.arange(4) / 8)
    assert numbers(example) == (np.searchsorted(times, wanted + 1, side="right") - 1).tolist()


def test_a_frame_that_stands_for_long_is_found_from_behind(tmp_path, draw):
    """The window begins within frame 3, far behind the keyframe's neighbours that seeking goes back for."""
    times = [0, 40, 80, 120, *range(2000, 2400, 40)]
    clip = varying(tmp_path, times)
    draw(start=0.99)
    fps = clip.meta["fps"]
    wanted = 1000 * (0.99 * (13 / fps - 3 / 4.0) + np.arange(4) / 4.0)
    expected = np.searchsorted(times, wanted + 1, side="right") - 1
    assert expected[0] == 3 and wanted[0] > 1400
    assert numbers(source(tmp_path / "set", [clip], fps=(4.0,)).read(0, RNG)) == expected.tolist()


def test_times_in_milliseconds_show_no_frame_twice(tmp_path, draw):
    """24 frames a second in whole milliseconds: the frame at 41.67 ms is said to come at 42 ms."""
    draw(start=0.0)
    clip = varying(tmp_path, [round(1000 * k / 24) for k in range(20)], fps=24.0)
    assert numbers(source(tmp_path / "set", [clip], Bucket(20, 64, 96), fps=(24,)).read(0, RNG)) == list(range(20))


def test_a_clip_that_just_fits_is_read_whole(tmp_path, draw):
    for start in (0.0, 0.999999):
        draw(start=start)
        clips = source(tmp_path / str(start), [gray_clip(0, 10), gray_clip(1, 9)])
        assert len(clips) == 1 and numbers(clips.read(0, RNG)) == [0, 3, 6, 9]


def test_the_rate_is_one_that_fits_and_is_told(tmp_path, draw):
    clips = source(tmp_path, [gray_clip(0, 25)], fps=(2, 4, 8, 24, 60))
    for rate, fps, step in ((0.0, 4, 6), (0.34, 8, 3), (0.99, 24, 1)):
        draw(rate=rate)
        example = clips.read(0, RNG)
        assert numbers(example) == [0, step, 2 * step, 3 * step]
        assert example.micro == (fps, 50.0, 0.0)


def test_the_bucket_of_motion_is_the_samples_own_and_one_without_is_skipped(tmp_path):
    told = Conditioning((Micro("motion_bucket", 2.0), Micro("fps")))
    samples = [gray_clip(0, motion_bucket=200), gray_clip(1, motion_bucket=None), gray_clip(2, motion_bucket=0)]
    clips = source(tmp_path, samples, conditioning=told)
    assert [clips.read(i, RNG).micro[0] for i in range(len(clips))] == [400.0, 0.0]
    assert clips.plan.counts == {"no motion bucket": 1}
    pictures = source(tmp_path / "pictures", samples, PICTURE, fps=(), conditioning=told)
    assert len(pictures) == 3 and pictures.read(1, RNG).micro == (0.0, 0.0)


def test_each_caption_is_drawn_but_no_blank_one(tmp_path, draw):
    captions = [{"text": text, "source": None} for text in ("a", " ", "b", "c")]
    clips, found = source(tmp_path, [gray_clip(0, captions=captions)]), []
    for caption in (0.0, 0.34, 0.67, 0.99):
        draw(caption=caption)
        found.append(clips.read(0, RNG).caption)
    assert found == ["a", "b", "c", "c"]


def test_without_need_a_caption_may_be_empty(tmp_path):
    clips = source(tmp_path, [gray_clip(0, captions=[])], conditioning=Conditioning(captions=False))
    assert clips.read(0, rng_of(0, 0, 0)).caption == ""


def test_all_that_is_random_comes_from_three_numbers(tmp_path):
    clips = source(tmp_path, [gray_clip(0), gray_clip(1)], fps=(8, 12))
    used, fresh = rng_of(1, 2, 3), rng_of(1, 2, 3)
    clips.read(0, used)
    fresh.bit_generator.random_raw(3)
    assert used.bit_generator.random_raw() == fresh.bit_generator.random_raw()
    windows = [tuple(numbers(clips.read(1, rng_of(0, 0, k)))) for k in range(20)]
    assert windows == [tuple(numbers(clips.read(1, rng_of(0, 0, k)))) for k in range(20)] and len(set(windows)) > 10


def test_a_picture_is_any_frame_and_has_no_numbers(tmp_path, draw):
    samples = [gray_clip(0, 5, scores={}), gray_clip(1, 1, fps=2.0)]
    clips, found = source(tmp_path, samples, PICTURE, fps=()), []
    for start in (0.0, 0.19, 0.21, 0.5, 0.79, 0.999):
        draw(start=start)
        example = clips.read(0, RNG)
        assert example.frames.shape == (1, 64, 96, 3) and example.micro == (0.0, 0.0, 0.0)
        found += numbers(example)
        assert numbers(clips.read(1, RNG)) == [0]
    assert found == [0, 0, 1, 2, 3, 4]


def test_the_middle_is_cut_out(tmp_path):
    frames = np.zeros((12, 128, 384, 3), np.uint8)
    frames[:, :, :128, 0], frames[:, :, 128:256, 1], frames[:, :, 256:, 2] = 255, 200, 255
    example = source(tmp_path, [clip_of(0, frames)], Bucket(4, 64, 64)).read(0, RNG)
    means = example.frames[:, :, 2:-2].float().mean((0, 1, 2))
    assert means[1] > 180 and means[0] < 15 and means[2] < 15


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((320, 180), (114, 64)),
        ((96, 64), (96, 64)),
        ((180, 320), (96, 171)),
        ((97, 64), (97, 64)),
        ((96, 65), (96, 65)),
    ],
)
def test_sizes_cover_the_bucket(size, wanted):
    assert cover(size, BUCKET) == wanted


def test_what_no_sample_has_is_said_of_the_set(tmp_path):
    with pytest.raises(ValueError, match=r"films has no score `aesthetic`.*luma_mean, motion;"):
        source(tmp_path, [gray_clip(0)], conditioning=Conditioning((Micro("scores.aesthetic"),)), name="films")
    with pytest.raises(ValueError, match=f"{tmp_path.name}.*has no captions"):
        source(tmp_path, [gray_clip(0, captions=[])])


def test_damage_is_told_and_stays_where_it_is(tmp_path):
    clips = source(tmp_path, [gray_clip(k, first=5 * k) for k in range(4)])
    whole = [clips.read(k, rng_of(0, 0, k)).frames for k in range(4)]
    shards = clips._shards
    overwrite(shards, 0, bytes(10**6))
    overwrite(shards, 2, b"\xff" * 10**6, at=2000)
    with pytest.raises(ValueError, match=r"^does not decode: cannot be opened"):
        clips.read(0, rng_of(0, 0, 0))
    with pytest.raises(ValueError, match=r"^does not decode: "):
        clips.read(2, rng_of(0, 0, 2))
    for k in (1, 3):
        assert torch.equal(clips.read(k, rng_of(0, 0, k)).frames, whole[k])
    shards._tar(3).write_bytes(b"")
    with pytest.raises(ValueError, match=r"^is not in its shard: .*00001\.tar"):
        clips.read(3, RNG)


def test_fewer_frames_than_the_index_says(tmp_path, draw):
    draw(start=0.99)
    clip = gray_clip(0, 20)
    clips = source(tmp_path, [make_sample(0, clip.content, **(clip.meta | {"num_frames": 25}))])
    with pytest.raises(ValueError, match=r"^does not decode: ends early, 2 of 4 frames are missing"):
        clips.read(0, RNG)
    draw(start=0.0)
    assert numbers(clips.read(0, RNG)) == [0, 3, 6, 9]


def test_a_frame_that_libav_made_up_is_no_frame(tmp_path, draw):
    from footage import noise_scene

    draw(start=0.9)
    clips = source(tmp_path, [clip_of(0, np.stack(noise_scene(0, 25)))])
    clips.read(0, RNG)
    overwrite(clips._shards, 0, bytes(200), at=len(clips._shards.read(0).content) * 2 // 3)
    with pytest.raises(ValueError, match=r"^does not decode: a frame is damaged"):
        clips.read(0, RNG)


def test_the_rate_of_film_is_read_at_24(tmp_path):
    clips = source(tmp_path, [gray_clip(0, 24, float(Fraction(24000, 1001)))], Bucket(24, 64, 96), fps=(24,))
    found = numbers(clips.read(0, RNG))
    assert len(found) == 24 and max(np.abs(np.array(found) - np.arange(24))) <= 1
