"""The plan of a corpus: which scenes stand in which video, how each is coded, what is wrong with it. Renders nothing.

The plan is a pure function of the config, so that what a corpus holds can be counted without rendering it.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class ScenePlan:
    """One scene of a video."""

    seed: tuple[int, ...]
    """Seed of the world's scene; equal seeds show the same."""
    duration_s: float
    fault: str = ""
    """One of `faults.PLANTED_FAULTS`, or empty."""
    transition: str = "hard"
    """How the scene begins: hard | dissolve | fade."""
    transition_s: float = 0.0
    copy_of: str = ""
    """`path#scene_index` of the scene that a near duplicate repeats."""


@dataclass(frozen=True)
class Encoding:
    """How a video is coded."""

    codec: str
    """h264 | mpeg4 | vp9 | hevc | av1 | mjpeg."""
    container: str
    """Also the ending of the file's name: mp4 | mkv | mov | webm | avi | ts."""
    fps: Fraction
    """Frames a second; of a variable rate, the rate before frames are dropped and moved."""
    variable_fps: bool = False
    keyframe_s: float = 2.0
    """Longest distance of two keyframes."""
    b_frames: int = 0
    """Most B-frames between two others."""
    rotation_deg: int = 0
    """Counter-clockwise turn that the file asks of a player; frames are stored turned the other way."""

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick handed to the encoder."""
        return Fraction(1, 1000) if self.variable_fps else 1 / self.fps


@dataclass(frozen=True)
class VideoPlan:
    """One rendered video."""

    path: str
    """File name below `videos/`."""
    encoding: Encoding
    scenes: tuple[ScenePlan, ...]
    scales: tuple[float, ...] = (1.0,)
    """Sizes of the scenes in turn, as a factor; more than one makes the stream's size jump."""
    damage: str = ""
    """What befalls the finished file: truncated | corrupt_payload | corrupt_header, or empty."""

    @property
    def tags(self) -> list[str]:
        """What is special about the file as a whole."""
        special = {
            "variable_frame_rate": self.encoding.variable_fps,
            "rotated": self.encoding.rotation_deg != 0,
            "resolution_jump": len(self.scales) > 1,
            "non_ascii_name": not self.path.isascii(),
            self.damage: bool(self.damage),
        }
        return [tag for tag, holds in special.items() if holds]

    @property
    def file_faults(self) -> list[str]:
        """Faults that every scene of the file shares."""
        shared = {"resolution_jump": len(self.scales) > 1, "corrupt": self.damage == "corrupt_payload"}
        return [fault for fault, holds in shared.items() if holds]


@dataclass(frozen=True)
class CopyPlan:
    """A copy of a rendered video: of its bytes, or of its stream in another container."""

    path: str
    source: str
    """File name of the video it copies."""
    container: str = ""
    """The other container; empty for a copy of the bytes."""


@dataclass(frozen=True)
class JunkPlan:
    """A file that holds no video."""

    path: str
    kind: str
    """empty | text | audio_only."""


@dataclass(frozen=True)
class CorpusPlan:
    """All files of a corpus."""

    videos: tuple[VideoPlan, ...]
    copies: tuple[CopyPlan, ...]
    junk: tuple[JunkPlan, ...]
