"""Job 1: every video is read once, in a child that may die without harm; out come videos, clips and proxies."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from curation import block
from curation.child import Child, ChildDied
from curation.child_error import ChildRaised
from curation.config import SplitConfig
from curation.corpus import listed_near, spans_of
from curation.defect import UNFORESEEN
from curation.engine import Counts, PartTask, PartWorker
from curation.proxies import merge_proxies
from curation.read_video import VideoReading, read_video
from curation.stamp import STAMP, SourceLost, Stamp, refuse_changed, refuse_common_loss
from curation.tables import Corpus
from shards.schema import CLIPS, VIDEOS, from_rows
from shards.store import scratch_folder
from shards.video import VideoError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitTask(PartTask):
    """Splits the unique videos of a part."""

    corpus: Corpus
    config: SplitConfig
    copies: Mapping[str, frozenset[str]]
    """Part -> video ids of its files that belong to an earlier part."""
    only: dict[str, frozenset[str]] | None = None
    """Part -> the only video ids to read; None reads all."""
    blocked: frozenset[str] = frozenset()
    """Video ids on the block list: they are not read."""
    into: Corpus | None = None
    """Where the tables go; None writes them beside the inputs."""

    @property
    def num_gpus(self) -> float:
        """Share of a GPU for one worker, where the splitter takes one."""
        return 0 if self.config.splitter.device == "cpu" else self.config.gpu_share

    @property
    def gpu_is_optional(self) -> bool:
        """Whether the splitter does without."""
        return self.config.splitter.device == "auto"

    @property
    def memory_bytes(self) -> int:
        """Limit of the child."""
        return self.config.limits.memory_bytes

    def build(self) -> PartWorker:
        """A worker with a child process of its own."""
        return SplitWorker(self)

    def takes(self, part: str, video_id: str) -> bool:
        """Whether a file that the part lists is to be read."""
        if video_id in self.copies.get(part, ()):
            return False
        return self.only is None or video_id in self.only[part]


@dataclass(frozen=True)
class Tally:
    """What the videos of a part came to so far; never changed, so that another thread may read it."""

    first_frame: int = 0
    """How many frames the child had told of before the part."""
    counts: Counts = field(default_factory=dict)

    def with_one(self, reading: VideoReading) -> "Tally":
        """With one more video."""
        video = reading.video
        one = {"videos": 1, "footage_s": video["duration_s"] or 0, "clips": len(reading.clips), video["status"]: 1}
        return Tally(self.first_frame, dict(Counter(self.counts) + Counter(one)))


class SplitWorker(PartWorker):
    """Reads the videos of one part after the other."""

    def __init__(self, task: SplitTask) -> None:
        self._task, self._corpus = task, task.into or task.corpus
        limits = task.config.limits
        self._child = Child(limits.wall_s, limits.attempts, limits.silence_s, limits.memory_bytes)
        self._unforeseen: Counts = {}  # replaced, never changed: see Tally
        self._warned: set[str] = set()
        self._spans: dict[str, list[tuple[float, float]]] = {}
        self._tally = Tally()

    def run(self, part: str) -> Counts:
        """Writes the part's tables; `videos` comes last, so that its presence means the part is done."""
        # A name of its own: the worker of a killed run may still be at this part for a moment.
        with scratch_folder(self._corpus.folder("proxies"), part) as scratch:
            return self._split(part, scratch)

    def _split(self, part: str, scratch: Path) -> Counts:
        paths, stamps = self._listed(part)
        self._unforeseen, self._tally = {}, Tally(self._child.frames)
        self._spans = spans_of(self._task.corpus, part)
        files = {video_id: scratch / f"{video_id}.parquet" for video_id in paths}
        readings = []
        for video_id, path in paths.items():
            readings.append(self._read(part, video_id, path, stamps[path], files[video_id]))
            self._tally = self._tally.with_one(readings[-1])
        videos = [reading.video for reading in readings]
        clips = [clip for reading in readings for clip in reading.clips]
        # Not those that happen to be there: of a killed run's worker that lives on, the next run takes them away.
        read = [files[video["video_id"]] for video in videos if video["status"] == "ok"]
        merge_proxies(read, self._corpus.path("proxies", part))
        self._corpus.write("clips", part, from_rows(clips, CLIPS), CLIPS)
        self._corpus.write("videos", part, from_rows(videos, VIDEOS), VIDEOS)
        return self.so_far() | {"retried": self._child.take_retried()}

    def so_far(self) -> Counts:
        """Videos read, their footage and clips, and the frames that were decoded."""
        frames = {"frames": self._child.frames - self._tally.first_frame}
        return self._tally.counts | self._unforeseen | frames

    def _listed(self, part: str) -> tuple[dict[str, str], dict[str, Stamp]]:
        """The part's videos, video_id -> path, and of each path what it was when it was listed."""
        columns = ["video_id", "path", *STAMP]
        paths: dict[str, str] = {}
        stamps: dict[str, Stamp] = {}
        for row in self._task.corpus.read("inputs", part, columns).to_pylist():
            if row["video_id"] not in paths and self._task.takes(part, row["video_id"]):
                paths[row["video_id"]] = row["path"]
                stamps[row["path"]] = (row["size_bytes"], row["mtime_ns"], row["etag"])
        return paths, stamps

    def _read(self, part: str, video_id: str, path: str, stamp: Stamp, proxies: Path) -> VideoReading:
        """What a video gave, or why it gave nothing; one whose file is not the one that was listed has failed.

        Raises:
            OSError: so it is with the files beside it.
        """
        if video_id in self._task.blocked:
            return _not_read(video_id, path, block.REASON, block.ERROR)
        try:
            refuse_changed(path, video_id, *stamp)
            reading = self._try(video_id, path, proxies)
            refuse_changed(path, video_id, *stamp)
        except SourceLost as loss:
            refuse_common_loss(loss, listed_near(self._task.corpus, part))
            proxies.unlink(missing_ok=True)  # of what it became while it was read
            return _not_read(video_id, path, "failed", str(loss.strerror))
        return reading

    def _try(self, video_id: str, path: str, proxies: Path) -> VideoReading:
        """Reads in the child; what is raised there is final, a death of the child is tried again up to the limit.

        Raises:
            OSError: our own disk fails.
            ChildUnavailable: our own processes fail.
        """
        try:
            spans = self._spans.get(video_id)
            believed = partial(_reading, video_id, path)
            return self._child.call(read_video, video_id, path, self._task.config, proxies, spans, read=believed)
        except ChildDied as error:
            return _not_read(video_id, path, "quarantined", str(error))
        except VideoError as error:
            return _not_read(video_id, path, "failed", str(error))
        except ChildRaised as error:  # whatever a poisonous file provokes costs this file alone
            self._note_unforeseen(path, error)
            return _not_read(video_id, path, "failed", str(error))

    def _note_unforeseen(self, path: str, error: ChildRaised) -> None:
        """Counts it for `defect.py`, and shows once where it was raised: it may well be a defect of ours."""
        name = f"{UNFORESEEN}{error.kind}"
        self._unforeseen = self._unforeseen | {name: self._unforeseen.get(name, 0) + 1}
        if error.kind not in self._warned:
            self._warned.add(error.kind)
            logger.warning("%s failed by what no reader means to raise:\n%s", path, error.__cause__)

    def close(self) -> None:
        """Ends the child."""
        self._child.close()


def _reading(video_id: str, path: str, answer: dict) -> VideoReading:
    """The rows of this video and no other: a child that a poisonous file has taken over may say anything."""
    reading = VideoReading(**answer)
    videos, clips = from_rows([reading.video], VIDEOS), from_rows(reading.clips, CLIPS)
    mine = {"video_id": video_id, "path": path, "status": "ok", "error": None}
    if videos.select(list(mine)).to_pylist() != [mine] or set(clips["video_id"].to_pylist()) - {video_id}:
        raise ValueError("rows of another video")
    return reading


def _not_read(video_id: str, path: str, status: str, error: str) -> VideoReading:
    known = {"video_id": video_id, "path": path, "status": status, "error": error}
    return VideoReading(dict.fromkeys(VIDEOS.names) | known, [])
