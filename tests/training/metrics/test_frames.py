"""Frames as networks take them: which, in what order of axes, and resized by a rule that is told by hand."""

import pytest
import torch

from training.metrics.frames import first_frames, in_parts, resized
from training.metrics.metric import Videos


def videos(number, frames=4, height=2, width=3) -> Videos:
    """Every byte is another."""
    count = number * frames * height * width * 3
    bytes_ = (torch.arange(count) % 251).to(torch.uint8).reshape(number, frames, height, width, 3)
    return Videos(bytes_, [f"caption {n}" for n in range(number)], 8.0)


def test_the_first_frames_come_channels_first_and_as_they_were():
    told = videos(2)
    found = first_frames(told, 3)
    assert found.shape == (2, 3, 3, 2, 3) and found.dtype == torch.float32
    for colour in range(3):
        assert torch.equal(found[:, colour], told.frames[:, :3, :, :, colour].float())


def test_shorter_videos_are_refused():
    assert first_frames(videos(1), 4).shape[2] == 4
    with pytest.raises(ValueError, match="videos have 4 frames, and it takes 5"):
        first_frames(videos(1), 5)


def test_a_row_of_pixels_is_widened_between_their_centres():
    """Centres of four pixels lie at -1/4, 1/4, 3/4 and 5/4 of the two they come from; what lies outside is clamped."""
    row = torch.tensor([0.0, 100.0]).expand(1, 3, 2, 1, 2)
    for antialias in (False, True):
        assert resized(row, 1, 4, antialias)[0, 0, 0, 0].tolist() == pytest.approx([0, 25, 75, 100])


def test_antialias_alone_sees_every_pixel():
    """Four of sixteen pixels are bright, at the first of each four: two in the middle of a quarter are dark."""
    row = torch.zeros(1, 3, 1, 1, 16)
    row[..., ::4] = 100
    assert resized(row, 1, 4, antialias=False)[0, 0, 0, 0].tolist() == [0, 0, 0, 0]
    smooth = resized(row, 1, 4, antialias=True)[0, 0, 0, 0]
    assert smooth.min() > 10 and smooth.mean() == pytest.approx(25, abs=5)


def test_frames_and_videos_do_not_mix():
    """Each frame is plain, of a level of its own: so it stays."""
    levels = torch.arange(24.0).reshape(2, 3, 4, 1, 1)  # videos, colours, frames
    found = resized(levels.expand(2, 3, 4, 6, 8), 3, 5, antialias=True)
    assert found.shape == (2, 3, 4, 3, 5) and torch.allclose(found, levels.expand_as(found))


def test_videos_of_that_size_are_left_alone():
    there = torch.rand(1, 3, 2, 4, 6)
    assert resized(there, 4, 6, antialias=True) is there


@pytest.mark.parametrize(("size", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_parts_are_all_videos_in_their_order(size, sizes):
    whole = videos(5)
    parts = in_parts(whole, size)
    assert [len(part.frames) for part in parts] == sizes == [len(part.captions) for part in parts]
    assert torch.equal(torch.cat([part.frames for part in parts]), whole.frames)
    assert [caption for part in parts for caption in part.captions] == whole.captions
    assert {part.fps for part in parts} == {8.0}
