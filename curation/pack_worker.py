"""Makes shards: cuts and encodes the clips of a plan one by one, in a child that may die without harm."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_type_hints

from curation.addresses import open_source
from curation.child import Child, ChildDied
from curation.child_error import ChildRaised
from curation.config import LimitsConfig, PackConfig
from curation.engine import Counts, PartTask, PartWorker
from curation.joined import KEY
from curation.pack_plan import set_files
from curation.stamp import STAMP, SourceLost, refuse_changed, refuse_common_loss
from curation.tables import Corpus
from shards.encode import EncodedClip, EncodeSettings, cut_clip
from shards.sample import Sample
from shards.schema import FAILURES, from_rows
from shards.store import parquet_file, read_json, write_table
from shards.video import VideoError
from shards.writer import write_shard


def encode_settings(config: PackConfig) -> EncodeSettings:
    """How clips are encoded by this configuration."""
    return EncodeSettings(
        codec=config.codec,
        crf=config.crf,
        preset=config.preset,
        gop_frames=config.gop_frames,
        threads=config.encoder_threads,
        short_side_px=config.short_side_px,
    )


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
        return max(1, self.config.encoder_threads)

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
        self._settings = encode_settings(task.config)
        limits = task.limits
        self._child = Child(limits.wall_s, limits.attempts, memory_bytes=limits.memory_bytes)

    def run(self, part: str) -> Counts:
        """Writes the shard and lists the clips that failed; the index comes last."""
        with parquet_file(self._files.plan(part)) as plan:
            rows = plan.read().to_pylist()
        index = write_shard(self._files.tar(part), self._samples(part, rows))
        failed = len(rows) - len(index)
        return {"packed": len(index), "failed": failed, "retried": self._child.take_retried()}

    def close(self) -> None:
        """Ends the child."""
        self._child.close()

    def _samples(self, part: str, rows: list[dict]) -> Iterator[Sample]:
        failures = []
        for row in rows:
            try:
                clip = self._cut(part, row)
            except VideoError as error:
                failures.append({KEY: row["key"], "error": str(error)})
                continue
            measured = {"fps": clip.fps, "width": clip.width, "height": clip.height}
            told = {name: value for name, value in row.items() if name not in STAMP}
            yield Sample(row["key"], clip.video, told | measured | {"scores": dict(row["scores"])})
        # Here, since the writer takes all samples before it writes the index: a shard that stands has its failures.
        write_table(self._files.failures(part), from_rows(failures, FAILURES), FAILURES)

    def _cut(self, part: str, row: dict) -> EncodedClip:
        """The clip with exactly the frames that were scored.

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
        if clip.num_frames != row["num_frames"]:
            raise VideoError(f"other frames than were scored: {clip.num_frames}, not {row['num_frames']}")
        return clip

    def _planned(self, first: str) -> Iterator[dict]:
        """The sources of all clips, those of one shard first."""
        for part in dict.fromkeys([first, *read_json(self._files.plan_list)["parts"]]):
            with parquet_file(self._files.plan(part)) as plan:
                yield from plan.read(["path", "video_id", *STAMP]).to_pylist()

    def _try(self, row: dict) -> EncodedClip:
        """Cuts in the child; what is raised there is final, a death of the child is tried again up to the limit."""
        span = (row["path"], row["start_pts"], row["end_pts"])
        try:
            return self._child.call(cut_listed, *span, self._settings, self._limits, read=_clip)
        except (ChildDied, ChildRaised) as error:  # whatever a poisonous file provokes costs this clip alone
            raise VideoError(str(error)) from error


def _clip(answer: dict) -> EncodedClip:
    """The clip, if it is one: a child that a poisonous file has taken over may say anything."""
    clip = EncodedClip(**answer)
    if [type(value) for value in vars(clip).values()] != list(get_type_hints(EncodedClip).values()):
        raise TypeError("no clip")
    return clip


def cut_listed(path: str, start_pts: int, end_pts: int, settings: EncodeSettings, limits: LimitsConfig) -> EncodedClip:
    """As `cut_clip`, of a local file or of one at an address; runs in the child.

    A shard holds clips of many videos, mixed; so copies are kept for the other clips of the same video.
    """
    with open_source(path, limits.max_copy_bytes, keep_copy=True) as source:
        return cut_clip(source, start_pts, end_pts, settings, limits.max_pixels)
