"""Makes shards: cuts and encodes the clips of a plan one by one, in a child that may die without harm."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow.parquet as pq

from curation.child import Child, ChildDied
from curation.config import LimitsConfig, PackConfig
from curation.engine import Counts, PartTask, PartWorker
from curation.joined import KEY
from curation.pack_plan import set_files
from curation.tables import Corpus
from shards.encode import EncodedClip, EncodeSettings, cut_clip
from shards.sample import Sample
from shards.schema import FAILURES, from_rows
from shards.store import write_table
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

    def build(self) -> PartWorker:
        """A worker with a child process of its own."""
        return PackWorker(self)


class PackWorker(PartWorker):
    """Makes one shard after the other; holds the rows of one, and one clip."""

    def __init__(self, task: PackTask) -> None:
        self._files, self._limits = set_files(task.corpus, task.set_name), task.limits
        self._settings = encode_settings(task.config)
        self._child = Child(task.limits.wall_s)

    def run(self, part: str) -> Counts:
        """Writes the shard and lists the clips that failed; the index comes last."""
        rows = pq.ParquetFile(self._files.plan(part)).read().to_pylist()
        index = write_shard(self._files.tar(part), self._samples(part, rows))
        return {"packed": len(index), "failed": len(rows) - len(index)}

    def close(self) -> None:
        """Ends the child."""
        self._child.close()

    def _samples(self, part: str, rows: list[dict]) -> Iterator[Sample]:
        failures = []
        for row in rows:
            try:
                clip = self._cut(row)
            except VideoError as error:
                failures.append({KEY: row["key"], "error": str(error)})
                continue
            measured = {"fps": clip.fps, "width": clip.width, "height": clip.height}
            yield Sample(row["key"], clip.video, row | measured | {"scores": dict(row["scores"])})
        # Here, since the writer takes all samples before it writes the index: a shard that stands has its failures.
        write_table(self._files.failures(part), from_rows(failures, FAILURES), FAILURES)

    def _cut(self, row: dict) -> EncodedClip:
        """The clip with exactly the frames that were scored.

        Raises:
            VideoError: it cannot be had, for whatever reason that lies in the video.
        """
        clip = self._try(row)
        if clip.num_frames != row["num_frames"]:
            raise VideoError(f"other frames than were scored: {clip.num_frames}, not {row['num_frames']}")
        return clip

    def _try(self, row: dict) -> EncodedClip:
        """Cuts in the child; an exception is final, a death of the child is tried again up to the limit."""
        reason = ""
        for _ in range(self._limits.attempts):
            try:
                return self._child.call(cut_clip, row["path"], row["start_pts"], row["end_pts"], self._settings)
            except ChildDied as error:
                reason = str(error)
            except (VideoError, OSError):  # an OSError that is none of libav's: our own machine fails, not the video
                raise
            except Exception as error:  # whatever a poisonous file provokes costs this clip alone
                raise VideoError(f"{type(error).__name__}: {error}") from error
        raise VideoError(reason)
