"""The configuration of curation: frozen dataclasses that jsonargparse fills from YAML and the command line.

An unknown key or a wrong type stops before anything is built. Field docs are what `--help` shows.
"""

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_type_hints

from curation.duplicates.config import DedupConfig
from curation.rule import Rule as Rule
from curation.scorer import Scorer
from curation.splitter import Splitter
from curation.splitters.hybrid import Hybrid


def need(holds: bool, key: str, words: str) -> None:
    """Raises a ValueError that names the key unless what it says holds."""
    if not holds:
        raise ValueError(f"{key}: {words}")


@dataclass(frozen=True)
class InputsConfig:
    """How listed files are grouped into parts, the unit of work and of resuming."""

    part_max_videos: int = 16
    """A part is closed at this many videos ..."""
    part_max_bytes: int = 256 * 2**20
    """... or at this many bytes of input, whichever comes first."""

    def __post_init__(self) -> None:
        need(self.part_max_videos >= 1, "inputs.part_max_videos", "must be at least 1")
        need(self.part_max_bytes >= 1, "inputs.part_max_bytes", "must be at least 1")


@dataclass(frozen=True)
class LimitsConfig:
    """When a video is given up."""

    wall_s: float = 3600.0
    """Wall time of one attempt, seconds."""
    silence_s: float = 120.0
    """Time without a frame, seconds; the first call of a reader includes its imports."""
    memory_bytes: int = 4 * 2**30
    """Memory of each worker's reading process, without what it maps from files (on Linux)."""
    max_pixels: int = 8192 * 8192
    """Pixels of one frame."""
    max_frames: int = 2_000_000
    """Frames of one video."""
    max_decoded_bytes: int = 8 * 2**40
    """Width x height x 1.5 x frames of one video: what its pictures take as 8-bit 4:2:0."""
    max_copy_bytes: int = 16 * 2**30
    """Bytes of one video at an address whose server sends no parts of a file, so that it is read from a copy."""
    attempts: int = 2
    """Tries of a video whose reader crashed, hung or ran out of memory; an exception is final at once."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            need(getattr(self, limit.name) > 0, f"split.limits.{limit.name}", "must be above 0")


@dataclass(frozen=True)
class SplitConfig:
    """How a video becomes clips and proxy frames."""

    splitter: Splitter = field(default_factory=Hybrid)
    """The cut detector."""
    min_clip_s: float = 1.0
    """Scenes shorter than this, after trimming, give no clip."""
    max_clip_s: float = 20.0
    """Longer scenes are divided into equal clips no longer than this."""
    trim_s: float = 0.0
    """Footage cut off at both sides of each scene."""
    snap: Literal["exact", "keyframe"] = "exact"
    """Where clips start and end: on any frame, or on the stream's keyframes, so that it can be copied (SVD)."""
    proxy_fps: float = 2.0
    """Proxy frames a second."""
    proxy_short_side_px: int = 360
    """Short side of a proxy frame; frames are never enlarged."""
    proxy_quality: int = 90
    """JPEG quality of proxy frames."""
    decoder_threads: int = 1
    """Threads of the video decoder in each worker; 0 lets it choose, and damaged files may differ from host to host."""
    gpu_share: float = 0.1
    """Share of a GPU that a worker on Ray takes at least, where the splitter's `device` uses one: ten to a GPU."""
    limits: LimitsConfig = LimitsConfig()
    """When a video is given up."""

    def __post_init__(self) -> None:
        need(0 < self.gpu_share <= 1, "split.gpu_share", "lies above 0 and not above 1")
        for key in ("max_clip_s", "proxy_fps", "proxy_short_side_px"):
            need(getattr(self, key) > 0, f"split.{key}", "must be above 0")
        for key in ("min_clip_s", "trim_s", "decoder_threads"):
            need(getattr(self, key) >= 0, f"split.{key}", "must not be below 0")
        need(self.min_clip_s <= self.max_clip_s, "split.min_clip_s", "must not be above split.max_clip_s")
        need(1 <= self.proxy_quality <= 100, "split.proxy_quality", "lies in 1..100")


@dataclass(frozen=True)
class Bucket:
    """Frames and size that the samples of a shard can all give, at a rate."""

    frames: int
    """Frames of an example."""
    width: int
    """Pixels, even."""
    height: int
    """Pixels, even."""
    fps: float | None = None
    """Frames a second of an example; null for pictures."""

    def __post_init__(self) -> None:
        positive = self.frames >= 1 and (self.fps is None or self.fps > 0)
        need(positive, "pack.buckets", f"frames and fps must be above 0, not {self}")
        sides = (self.width, self.height)
        need(min(sides) >= 2 and not any(s % 2 for s in sides), "pack.buckets", f"sides must be even, not {self}")

    def __str__(self) -> str:
        """E.g. `16x320x576@8`: frames x height x width @ frames a second; of pictures `1x320x576`."""
        return f"{self.frames}x{self.height}x{self.width}" + ("" if self.fps is None else f"@{self.fps:g}")


@dataclass(frozen=True)
class PackConfig:
    """How kept clips become WebDataset shards."""

    samples_per_shard: int = 256
    """A tar is closed at this many samples ..."""
    shard_bytes: int = 2**30
    """... or before they have more bytes than this, whichever comes first."""
    val_share: float = 0.02
    """Share of videos whose clips go to `val`, chosen by hash; videos that share duplicates go together."""
    seed: int = 0
    """Seed of the shuffle over all sources."""
    mode: Literal["encode", "copy", "images"] = "encode"
    """`copy` copies the packets of H.264, HEVC, VP9 and AV1 as they are, for clips of `split.snap: keyframe`; what
    cannot be copied so that exactly its frames come out is encoded. `encode` encodes all. `images` makes of each clip
    one picture, of its frame with most detail among the proxy frames."""
    image_format: Literal["jpg", "webp"] = "jpg"
    """Format of the pictures of `mode: images`."""
    image_quality: int = 95
    """Their quality, 1..100, as the encoder of the format understands it."""
    audio: Literal["drop", "copy"] = "drop"
    """`copy` keeps the sound that mp4 can hold, whatever the mode."""
    short_side_px: int | None = None
    """Scale frames to this short side, never enlarging; null keeps the size."""
    fps: float | None = None
    """Take frames at this even rate, those shown then; null keeps all and their times."""
    crop_bars: bool = False
    """Cut off black bars, as the scorer `Frame` found them; a clip of which that is not known fails."""
    codec: str = "libx264"
    """Encoder of the packed videos."""
    crf: int | None = 18
    """Constant rate factor: lower is better and larger; null for encoders that know none."""
    preset: str | None = "veryfast"
    """Encoder preset; null for encoders that know none."""
    encoder_options: dict[str, str] = field(default_factory=dict)
    """More options of the encoder, by libav's names."""
    gop_frames: int = 12
    """Keyframe distance, short so that a trainer may start anywhere."""
    encoder_threads: int = 1
    """Fixed, since the number of threads changes the bytes."""
    buckets: list[Bucket] | None = None
    """Samples of a shard are of one bucket: the largest, by frames x width x height, that the clip fits without being
    enlarged. Encoded clips are cut to its size around the middle and take its rate; copied ones stay as they are."""
    bucket_max_crop: float = 0.2
    """Share of the picture that a bucket of another aspect may cut off."""
    motion_column: str | None = "motion"
    """Score by whose rank among all clips of the corpus a sample gets its `motion_bucket`; null for none."""

    def __post_init__(self) -> None:
        for key in ("gop_frames", "encoder_threads", "shard_bytes"):
            need(getattr(self, key) >= 1, f"pack.{key}", "must be at least 1")
        for key in ("short_side_px", "fps", "crop_bars"):
            copies = self.mode == "copy" and getattr(self, key)
            need(not copies, f"pack.{key}", "changes pictures, which pack.mode: copy does not; use pack.mode: encode")
        need(1 <= self.image_quality <= 100, "pack.image_quality", "lies in 1..100")
        is_video = self.mode != "images"
        need(is_video or self.fps is None, "pack.fps", "is for videos; with pack.mode: images leave it null")
        need(is_video or self.audio == "drop", "pack.audio", "is for videos; with pack.mode: images say drop")
        need(0 <= self.bucket_max_crop < 1, "pack.bucket_max_crop", "lies in 0..1, 1 excluded")
        if self.buckets is not None:
            names = [str(bucket) for bucket in self.buckets]
            need(bool(names) and len(set(names)) == len(names), "pack.buckets", "names no bucket, or one twice")
            for key in ("short_side_px", "fps"):
                need(getattr(self, key) is None, f"pack.{key}", "is told by pack.buckets; leave it null")
        for bucket in self.buckets or ():
            fits = bucket.fps is not None if is_video else (bucket.frames == 1 and bucket.fps is None)
            need(fits, "pack.buckets", f"{bucket} does not fit pack.mode: pictures alone have `frames: 1` and no `fps`")

    def idle_keys(self) -> frozenset[str]:
        """Names of the settings that change nothing in this mode."""
        return OF_VIDEOS if self.mode == "images" else OF_PICTURES


OF_PICTURES = frozenset({"image_format", "image_quality"})
OF_VIDEOS = frozenset({"audio", "fps", "codec", "crf", "preset", "encoder_options", "gop_frames", "encoder_threads"})
if TYPE_CHECKING:
    PackChanges = dict[str, Any]
else:  # so that the parser knows each key and its type
    PackChanges = TypedDict("PackChanges", get_type_hints(PackConfig), total=False)


@dataclass(frozen=True)
class RuleSet:
    """A named selection of clips, e.g. `pretrain` or `hq`, and how it is packed."""

    rules: list[Rule] = field(default_factory=list)
    """Every rule is applied to every clip."""
    duplicates: Literal["best", "perceptual", "exact", "keep"] = "best"
    """Of each group of duplicates the best-ranked clip stays that no other rule rejected. `best` takes groups of all
    kinds, `perceptual` leaves out what only embeddings found, `exact` takes equal frames alone, `keep` none."""
    pack: PackChanges = field(default_factory=dict)
    """Settings of `pack` that are others for this set, e.g. `{mode: images}`; all else is as `pack` says."""
    thresholds: str | None = None
    """Another corpus, or the `rules.json` of its verdicts, whose resolved numbers the quantiles take."""


@dataclass(frozen=True)
class CurateConfig:
    """Everything `make curate` needs to know."""

    videos: str | None = None
    """Folder, glob, or table (.parquet, .csv, .jsonl) with a `path` column; local, or at an address such as s3://."""
    out: str | None = None
    """Folder of the corpus, local or at an address: all tables and shards go there."""
    captions: str | None = None
    """Table with `path, start_s, end_s, text, source`; sidecar files `<video>.txt` are read as well."""
    block_list: str | None = None
    """Text file of video ids, clip ids, paths and addresses, one a line, that are never split and never packed."""
    limit: int | None = None
    """Take this many files only: a sample that is stable by path."""
    engine: Literal["ray", "local"] = "ray"
    """`ray` uses all cores, or the cluster at RAY_ADDRESS; `local` one process. The bytes are the same."""
    workers: int | None = None
    """Workers on Ray; null takes as many as fit."""
    inputs: InputsConfig = InputsConfig()
    """How files are grouped into parts."""
    split: SplitConfig = SplitConfig()
    """Job 1."""
    scorers: dict[str, Scorer] = field(default_factory=dict)
    """Job 2: one table of scores for each, by name."""
    dedup: DedupConfig = field(default_factory=DedupConfig)
    """Job 3."""
    sets: dict[str, RuleSet] = field(default_factory=dict)
    """Rule sets by name; each is packed."""
    pack: PackConfig = PackConfig()
    """Job 5; a set may say otherwise in a `pack` of its own."""
    report: bool = True
    """Whether job 6 also writes `stats/report.html`."""

    def __post_init__(self) -> None:
        need(self.limit is None or self.limit >= 1, "limit", "must be at least 1")
        need(self.workers is None or self.workers >= 1, "workers", "must be at least 1")
        for name in [*self.scorers, *self.sets]:
            need(name.isidentifier(), f"`{name}`", "names of scorers and sets are letters, digits and underscores")
        for name in ["", *self.sets]:
            crops = self.pack_of(name).crop_bars
            boxed = not crops or any("crop_left" in scorer.writes.names for scorer in self.scorers.values())
            key = f"{self.pack_key(name)}.crop_bars"
            need(boxed, key, "needs the scorer curation.scorers.frame.Frame, which finds the bars")

    def pack_of(self, set_name: str) -> PackConfig:
        """How a set is packed: as `pack` says, but for what the set itself says.

        Raises:
            ValueError: what the set says does not go together with the rest; names the key.
        """
        try:
            return replace(self.pack, **self._changes_of(set_name))
        except ValueError as error:
            raise ValueError(str(error).replace("pack", self.pack_key(set_name), 1)) from error

    def pack_key(self, set_name: str) -> str:
        """Where the YAML says how a set is packed: `pack`, or `sets.<name>.pack` if it says something of its own."""
        return f"sets.{set_name}.pack" if self._changes_of(set_name) else "pack"

    def _changes_of(self, set_name: str) -> PackChanges:
        return (self.sets[set_name].pack or {}) if set_name in self.sets else {}
