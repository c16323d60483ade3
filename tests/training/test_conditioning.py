"""What the denoiser is told: numbers of clips and of sampling, and captions that are dropped."""

import pytest
import torch

from training.conditioning import Conditioning, Conditions, Micro, leave_out_text, unconditional

FPS, ZERO = Micro("fps", scale=10.0), Micro("zero")
MOTION = Micro("scores.motion", scale=20.0, sampling=1.5)
SCORES: dict[str, float | None] = {"motion": 0.25, "clip": 3.0}


def test_numbers_of_a_clip_are_scaled():
    assert FPS.of_clip(12.5, SCORES) == 125.0
    assert MOTION.of_clip(12.5, SCORES) == 5.0
    assert ZERO.of_clip(12.5, SCORES) == 0.0
    assert Micro("zero", scale=7.0).of_clip(12.5, {"zero": 1.0}) == 0.0
    assert Micro("scores.clip").of_clip(12.5, SCORES) == 3.0  # by default as it is


def test_a_score_of_nought_is_a_number():
    assert MOTION.of_clip(8.0, {"motion": 0.0}) == 0.0


def test_the_bucket_of_motion_is_the_samples_own_field():
    bucket = Micro("motion_bucket", scale=0.5, sampling=127.0)
    assert bucket.of_clip(8.0, SCORES, 100) == 50.0 and bucket.of_clip(8.0, {}, 0) == 0.0
    assert bucket.of_sampling(8.0) == 63.5 and bucket.score is None
    with pytest.raises(ValueError, match=r"^no motion bucket$"):
        bucket.of_clip(8.0, {"motion_bucket": 3.0})
    assert Conditioning((FPS, bucket)).motion_bucket and Conditioning((FPS, bucket)).scores == ()
    assert not Conditioning((FPS, MOTION, ZERO)).motion_bucket


@pytest.mark.parametrize("scores", [{}, {"motion": None}, {"clip": 1.0}])
def test_a_clip_without_the_score_is_refused_by_its_name(scores):
    with pytest.raises(ValueError, match=r"^no score motion$"):
        MOTION.of_clip(8.0, scores)


def test_numbers_for_sampling_are_scaled_and_the_rate_can_be_told():
    assert FPS.of_sampling(8.0) == 80.0 and FPS.of_sampling(24.0) == 240.0
    assert MOTION.of_sampling(8.0) == MOTION.of_sampling(24.0) == 30.0
    assert ZERO.of_sampling(24.0) == 0.0
    for source in ("fps", "zero"):
        with pytest.raises(ValueError, match="sampling"):
            Micro(source, sampling=5.0)


@pytest.mark.parametrize("source", ["", "motion", "FPS", "scores", "scores.", "score.motion"])
def test_unknown_sources_are_refused(source):
    known = r"`fps`, `motion_bucket`, `noise`, `zero`, or `scores\.<column>`"
    with pytest.raises(ValueError, match=rf"on '{source}': it is {known}"):
        Micro(source)


def test_the_columns_of_scores_are_named_in_order():
    micro = (Micro("scores.motion"), FPS, Micro("scores.clip.best"), ZERO)
    assert Conditioning(micro).scores == ("motion", "clip.best")
    assert Conditioning((FPS, ZERO)).scores == Conditioning().scores == ()
    assert [kind.score for kind in micro] == ["motion", None, "clip.best", None]


@pytest.mark.parametrize("share", [-0.01, 1.0, 1.5, float("nan")])
def test_dropout_is_a_share_below_one(share):
    with pytest.raises(ValueError, match="text_dropout"):
        Conditioning(text_dropout=share)
    assert Conditioning(text_dropout=0.0).text_dropout == 0.0


def some_text(batch=4):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 5, 3, generator=generator), torch.randn(1, 5, 3, generator=generator)


def test_marked_captions_become_the_empty_one_and_others_stay():
    text, empty = some_text()
    dropped = leave_out_text(text, empty, torch.tensor([False, True, True, False]))
    assert torch.equal(dropped, torch.stack([text[0], empty[0], empty[0], text[3]]))


def test_as_many_captions_as_tokens_are_dropped_by_caption_and_not_by_token():
    text, empty = some_text(batch=5)
    dropped = leave_out_text(text, empty, torch.tensor([True, False, False, False, False]))
    assert torch.equal(dropped[0], empty[0]) and torch.equal(dropped[1:], text[1:])


def test_without_text_all_captions_are_empty_and_numbers_stay():
    text, empty = some_text()
    conditions = Conditions(text, torch.arange(8.0).reshape(4, 2))
    without = unconditional(conditions, empty)
    assert without.text.shape == text.shape and all(torch.equal(row, empty[0]) for row in without.text)
    assert torch.equal(without.micro, conditions.micro) and torch.equal(conditions.text, some_text()[0])
