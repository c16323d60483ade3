"""Makes shards: cuts the clips of a plan one by one, copied or encoded, in a child that may die without harm."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, get_args, get_type_hints

from curation.addresses import open_source
from curation.bars import crop_of
from curation.child import Child, ChildDied
from curation.child_error import ChildRaised
from curation.config import LimitsConfig, PackConfig
from curation.engine import Counts, PartTask, PartWorker
from curation.joined import KEY
from curation.pack_plan import FOR_WORK, MEASURED, PICTURE_PTS
from curation.set_files import set_files
from curation.stamp import STAMP, SourceLost, refuse_changed, refuse_common_loss
from curation.tables import Corpus
from shards.audio import add_audio, lost_sounds
from shards.copy import NotCopyable, copy_clip
from shards.cut_picture import PictureSettings, cut_picture
from shards.encode import EncodeSettings, cut_clip
from shards.fit import Crop
from shards.mp4 import PackedClip
from shards.sample import MAPS, Sample
from shards.schema import FAILURES, from_rows
from shards.store import parquet_file, write_table
from shards.video import VideoError
from shards.writer import write_shards


def encode_settings(config: PackConfig) -> EncodeSettings:
    """How clips are encoded by this configuration."""
    return EncodeSettings(
        codec=config.codec,
        crf=config.crf,
        preset=config.preset,
        gop_frames=config.gop_frames,
        threads=config.encoder_threads,
        short_side_px=config.short_side_px,
        fps=config.fps,
        options=config.encoder_options,
    )


def picture_settings(config: PackConfig) -> PictureSettings:
    """How pictures of clips are encoded by this configuration."""
    return PictureSettings(config.image_format, config.image_quality, config.short_side_px)


def settings_of(row: dict, config: PackConfig) -> EncodeSettings | PictureSettings:
    """How the clip of a row of the plan is encoded: for its bucket, if it has one."""
    bucket = next((each for each in config.buckets or () if str(each) == row["bucket"]), None)
    size = (bucket.width, bucket.height) if bucket else None
    if config.mode == "images":
        return replace(picture_settings(config), size=size)
    settings = encode_settings(config)
    if bucket is None or config.mode == "copy":
        return settings
    return replace(settings, fps=bucket.fps, size=size)


@dataclass(frozen=True)
class Way:
    """How one clip is to be made of its span."""

    copied_frames: int | None = None
    """Its packets are copied where that gives exactly so many frames; None encodes it."""
    crop: Crop | None = None
    """The part of the picture that is kept; None keeps all."""
    audio: bool = False
    """Whether its sound is kept."""
    picture_pts: int | None = None
    """The frame that becomes its picture, if one is made; None takes the one in the middle."""


def way_of(row: dict, config: PackConfig) -> Way:
    """How the clip of a row of the plan is to be made.

    Raises:
        VideoError: its bars are to be cut off, and are not known.
    """
    copied_frames = row["num_frames"] if config.mode == "copy" else None
    crop = crop_of(dict(row["scores"])) if config.crop_bars else None
    picture_pts = row[PICTURE_PTS] if config.mode == "images" else None
    return Way(copied_frames, crop, config.audio == "copy", picture_pts)


@dataclass(frozen=True)
class PackTask(PartTask):
    """Makes the shards of one set; a part is a shard, named `<split>/<number>`."""

    corpus: Corpus
    config: PackConfig
    set_name: str
    limits: LimitsConfig = LimitsConfig()

    @property
    def num_cpus(self) -> float:
        """CPUs of one worker: decoder and encoder take turns."""
        return 1 if self.config.mode == "images" else max(1, self.config.encoder_threads)

    @property
    def memory_bytes(self) -> int:
        """Limit of the child."""
        return self.limits.memory_bytes

    def build(self) -> PartWorker:
        """A worker with a child process of its own."""
        return PackWorker(self)


class PackWorker(PartWorker):
    """Makes one shard after the other; holds the rows of one, and one clip."""

    def __init__(self, task: PackTask) -> None:
        self._files, self._limits = set_files(task.corpus, task.set_name), task.limits
        self._config, limits = task.config, task.limits
        self._extension = task.config.image_format if task.config.mode == "images" else "mp4"
        self._child = Child(limits.wall_s, limits.attempts, memory_bytes=limits.memory_bytes)

    def run(self, part: str) -> Counts:
        """Writes the shard, or several, and lists the clips that failed; the first index comes last."""
        with parquet_file(self._files.plan(part)) as plan:
            rows = plan.read().to_pylist()
        index = write_shards(self._files.tar(part), self._samples(part, rows), self._config.shard_bytes)
        counts: Counts = {"packed": len(index), "failed": len(rows) - len(index), "retried": self._child.take_retried()}
        if self._config.mode == "copy":
            counts["copied"] = index["made_by"].to_pylist().count("copy")
        return counts | {"lost their sound": lost_sounds(index["audio"]).total()}

    def close(self) -> None:
        """Ends the child."""
        self._child.close()

    def _samples(self, part: str, rows: list[dict]) -> Iterator[Sample]:
        """Every clip that can be had."""
        failures = []
        for row in rows:
            try:
                clip = self._cut(part, row)
            except VideoError as error:
                failures.append({KEY: row["key"], "error": str(error)})
                continue
            measured = {name: getattr(clip, name) for name in (*MEASURED, "num_frames")}
            told = {name: value for name, value in row.items() if name not in FOR_WORK}
            meta = told | measured | {name: dict(row[name]) for name in MAPS}
            yield Sample(row["key"], clip.content, meta, self._extension)
        # Here, since the writer takes all samples before it writes the index: a shard that stands has its failures.
        write_table(self._files.failures(part), from_rows(failures, FAILURES), FAILURES)

    def _cut(self, part: str, row: dict) -> PackedClip:
        """The clip with exactly the frames that were scored, or the one that was chosen of them.

        Raises:
            VideoError: it cannot be had, for whatever reason that lies in the video.
            OSError: the video is not the file that was split, and so it is with others that were looked at.
        """
        source = (row["path"], row["video_id"], *(row[name] for name in STAMP))
        try:
            refuse_changed(*source)
            try:
                clip = self._try(row)
            finally:
                refuse_changed(*source)  # else a share that went away meanwhile would be a failure for good
        except SourceLost as loss:
            refuse_common_loss(loss, self._planned(part))
            raise VideoError(str(loss.strerror)) from loss
        if clip.num_source_frames not in (row["num_frames"], None):
            raise VideoError(f"other frames than were scored: {clip.num_source_frames}, not {row['num_frames']}")
        return clip

    def _planned(self, first: str) -> Iterator[dict]:
        """The sources of all clips, those of one shard first."""
        for part in dict.fromkeys([first, *self._files.parts()]):
            with parquet_file(self._files.plan(part)) as plan:
                yield from plan.read(["path", "video_id", *STAMP]).to_pylist()

    def _try(self, row: dict) -> PackedClip:
        """Cuts in the child; what is raised there is final, a death of the child is tried again up to the limit."""
        span, way = (row["path"], row["start_pts"], row["end_pts"]), way_of(row, self._config)
        settings = settings_of(row, self._config)
        try:
            return self._child.call(cut_listed, *span, settings, self._limits, way, read=_clip)
        except (ChildDied, ChildRaised) as error:  # whatever a poisonous file provokes costs this clip alone
            raise VideoError(str(error)) from error


def _clip(answer: dict) -> PackedClip:
    """The clip, if it is one: a child that a poisonous file has taken over may say anything."""
    clip = PackedClip(**answer)
    for name, kind in get_type_hints(PackedClip).items():
        if type(getattr(clip, name)) not in (get_args(kind) or (kind,)):
            raise TypeError("no clip")
    return clip


def cut_listed(
    path: str,
    start_pts: int,
    end_pts: int,
    settings: EncodeSettings | PictureSettings,
    limits: LimitsConfig,
    way: Way = Way(),
) -> PackedClip:
    """Cuts a clip, or its picture, out of a local file or one at an address; runs in the child.

    A shard holds clips of many videos, mixed; so copies are kept for the other clips of the same video.
    """
    with open_source(path, limits.max_copy_bytes, keep_copy=True) as source:
        if isinstance(settings, PictureSettings):
            return cut_picture(source, start_pts, end_pts, way.picture_pts, settings, limits.max_pixels, way.crop)
        clip = _copied_or_encoded(source, (start_pts, end_pts), settings, limits.max_pixels, way)
        if not way.audio:
            return clip
        video, audio = add_audio(clip.content, source, start_pts, end_pts, limits.max_pixels)
        return replace(clip, content=video, audio=audio)


def _copied_or_encoded(
    source: str | BinaryIO, span: tuple[int, int], settings: EncodeSettings, max_pixels: int, way: Way
) -> PackedClip:
    if way.copied_frames is None:
        return cut_clip(source, *span, settings, max_pixels, crop=way.crop)
    try:
        return copy_clip(source, *span, way.copied_frames, max_pixels)
    except NotCopyable as reason:
        return replace(cut_clip(source, *span, settings, max_pixels), made_by=f"encode: {reason}")
