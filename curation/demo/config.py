"""What the demo corpus is made of: the few numbers a user may turn."""

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DemoConfig:
    """The size and the seed of the demo corpus. The defaults give about 720 scenes."""

    seed: int = 0
    """Everything random follows from it; the same seed gives the same bytes."""
    num_videos: int = 60
    """Videos that are rendered whole, at least 8. Copies of some and broken files come on top."""
    scenes_per_video: int = 12
    """Scenes in each of them, at least 4."""
    width: int = 320
    """Width of a frame, in pixels; even."""
    height: int = 180
    """Height of a frame, in pixels; even."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes that render at the same time. The files do not depend on it."""

    def __post_init__(self) -> None:
        if self.num_videos < 8 or self.scenes_per_video < 4:
            raise ValueError("the demo corpus needs num_videos >= 8 and scenes_per_video >= 4 to hold every fault")
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < 64:
            raise ValueError(f"width and height must be even and at least 64, not {self.width}x{self.height}")
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, not {self.workers}")
