"""Given frames: which they are, where they stand, the noise on them, what chance leaves out."""

import math

import pytest
import torch

from training.conditioning import Conditioning, Conditions, Micro, leave_out_given, unconditional
from training.given import Given, draw_given, sampling_draw

FIRST, ENDS = Given(), Given(frames="ends", embedding=False)
LATENTS = torch.arange(1.0, 5).reshape(2, 2, 1, 1, 1)  # (B, K, C, h, w)


def generators(number):
    return [torch.Generator().manual_seed(seed) for seed in range(number)]


def test_the_first_frame_is_repeated_and_all_are_given():
    placed, is_given = FIRST.place(LATENTS[:, :1], 3)
    assert is_given is None and placed.flatten(1).tolist() == [[1, 1, 1], [3, 3, 3]]


def test_both_ends_stand_in_their_places_and_a_mask_tells_them():
    placed, is_given = ENDS.place(LATENTS, 5)
    assert placed.flatten(1).tolist() == [[1, 0, 0, 0, 2], [3, 0, 0, 0, 4]]
    assert is_given is not None and is_given.tolist() == [[True, False, False, False, True]] * 2
    frames = torch.arange(10).reshape(2, 5)
    assert ENDS.of(frames).tolist() == [[0, 4], [5, 9]] and FIRST.of(frames).tolist() == [[0], [5]]


def test_the_noise_on_pixels_has_the_level_that_is_told():
    """SVD, appendix D: ln sigma ~ N(-3, 0.5^2), on pixels over -1..1."""
    drawn = draw_given(FIRST, (8, 8), generators(400))
    levels = drawn.level.log()
    assert abs(float(levels.mean()) + 3) < 3 * 0.5 / math.sqrt(400) and abs(float(levels.std()) - 0.5) < 0.06
    frames = torch.full((400, 1, 8, 8, 3), 255, dtype=torch.uint8)
    spread = (drawn.noisy(frames) - 1).flatten(1).std(1)
    assert torch.allclose(spread, drawn.level, rtol=0.25)
    assert torch.allclose(
        sampling_draw(FIRST, (8, 8), generators(1)).noisy(frames[:1]).std(), torch.tensor(0.02), rtol=0.2
    )


def test_frames_and_embedding_are_left_out_each_by_itself():
    drawn = draw_given(Given(dropout=0.3, embedding_dropout=0.2), (2, 2), generators(2000))
    both = (drawn.dropped & drawn.embedding_dropped).float().mean()
    assert abs(float(drawn.dropped.float().mean()) - 0.3) < 0.04
    assert abs(float(drawn.embedding_dropped.float().mean()) - 0.2) < 0.04 and abs(float(both) - 0.06) < 0.025
    assert not sampling_draw(FIRST, (2, 2), generators(50)).dropped.any()


def test_a_sample_draws_the_same_whatever_stands_beside_it():
    alone, together = draw_given(ENDS, (4, 6), generators(3)[2:]), draw_given(ENDS, (4, 6), generators(3))
    assert torch.equal(alone.noise[0], together.noise[2]) and alone.level[0] == together.level[2]
    assert together.noise.shape == (3, 2, 3, 4, 6)


def test_without_condition_nothing_is_given():
    placed, is_given = ENDS.place(LATENTS, 4)
    told = Conditions(torch.ones(2, 3, 5), torch.ones(2, 1), placed, is_given)
    left = leave_out_given(told, torch.tensor([False, True]))
    assert left.given is not None and left.is_given is not None and told.is_given is not None
    assert torch.equal(left.given[0], placed[0]) and not left.given[1].any()
    assert torch.equal(left.is_given[0], told.is_given[0]) and not left.is_given[1].any()
    without = unconditional(told, torch.zeros(1, 3, 5))
    assert without.given is not None and without.is_given is not None
    assert not without.given.any() and not without.is_given.any() and not without.text.any()
    assert torch.equal(without.micro, told.micro)


def test_the_model_is_told_the_noise():
    told = Conditioning((Micro("fps", offset=-1), Micro("noise", scale=10)), given=FIRST)
    filled = told.with_noise(torch.tensor([[7.0, 0.0], [7.0, 0.0]]), torch.tensor([0.1, 0.5]))
    assert torch.allclose(filled, torch.tensor([[7.0, 1.0], [7.0, 5.0]]))
    assert Micro("fps", offset=-1).of_sampling(8) == Micro("fps", offset=-1).of_clip(8, {}) == 7
    with pytest.raises(ValueError, match=r"`noise` .* set conditioning\.given"):
        Conditioning((Micro("noise"),))


@pytest.mark.parametrize(
    "wrong", [{"dropout": 1.0}, {"embedding_dropout": -0.1}, {"noise_std": -1.0}, {"sampling_noise": -1.0}]
)
def test_numbers_out_of_range_are_named(wrong):
    with pytest.raises(ValueError, match=rf"conditioning\.given\.{next(iter(wrong))} is"):
        Given(**wrong)
