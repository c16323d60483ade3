"""What one video may cost: spent frame by frame, each of which is a sign of life for the process that watches."""

from curation.child_side import beat
from curation.config import LimitsConfig
from shards.video import VideoError

BYTES_PER_PIXEL = 1.5  # 8-bit 4:2:0; a fixed yardstick, not what the decoder holds


class Allowance:
    """Counts the frames and decoded bytes of a video against its limits."""

    def __init__(self, limits: LimitsConfig) -> None:
        self._limits = limits
        self._frames, self._bytes = 0, 0.0

    def spend(self, width: int, height: int) -> None:
        """Takes note of one more frame, of stored width and height in pixels.

        Raises:
            VideoError: that is too much; says of what.
        """
        beat(frames=1)
        self._frames += 1
        self._bytes += width * height * BYTES_PER_PIXEL
        if self._frames > self._limits.max_frames:
            raise VideoError(f"too many frames: more than {self._limits.max_frames}")
        if self._bytes > self._limits.max_decoded_bytes:
            raise VideoError(f"too much to decode: more than {self._limits.max_decoded_bytes} bytes of pictures")
