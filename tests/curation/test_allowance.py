import pytest

from curation.allowance import Allowance
from curation.config import LimitsConfig
from shards.video import VideoError


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (LimitsConfig(max_frames=3), "too many frames: more than 3"),
        (LimitsConfig(max_decoded_bytes=3 * 4 * 2 * 3 // 2), "too much to decode: more than 36 bytes"),
    ],
)
def test_what_is_allowed_passes_and_one_frame_more_does_not(limits, words):
    allowance = Allowance(limits)
    for _ in range(3):
        allowance.spend(4, 2)
    with pytest.raises(VideoError, match=words):
        allowance.spend(4, 2)


def test_limits_must_be_above_0():
    with pytest.raises(ValueError, match=r"split\.limits\.silence_s: must be above 0"):
        LimitsConfig(silence_s=0)
