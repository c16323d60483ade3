"""Job 1: every video is read once, in a child that may die without harm; out come videos, clips and proxies."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from curation import block
from curation.child import Child, ChildDied, ChildUnavailable
from curation.config import SplitConfig
from curation.corpus import spans_of
from curation.engine import Counts, PartTask, PartWorker
from curation.proxies import merge_proxies
from curation.read_video import VideoReading, read_video
from curation.stamp import STAMP, Stamp, refuse_changed
from curation.tables import Corpus
from shards.schema import CLIPS, VIDEOS, from_rows
from shards.store import scratch_folder
from shards.video import VideoError

MIN_VIDEOS_OF_DEFECT = 4  # that fewer videos provoke the same exception may be chance


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
        self._unforeseen: list[Exception] = []
        self._spans: dict[str, list[tuple[float, float]]] = {}
        self._tally = Tally()

    def run(self, part: str) -> Counts:
        """Writes the part's tables; `videos` comes last, so that its presence means the part is done."""
        # A name of its own: the worker of a killed run may still be at this part for a moment.
        with scratch_folder(self._corpus.folder("proxies"), part) as scratch:
            return self._split(part, scratch)

    def _split(self, part: str, scratch: Path) -> Counts:
        paths, stamps = self._listed(part)
        self._unforeseen, self._tally = [], Tally(self._child.frames)
        self._spans = spans_of(self._task.corpus, part)
        files = {video_id: scratch / f"{video_id}.parquet" for video_id in paths}
        readings = []
        for video_id, path in paths.items():
            readings.append(self._read(video_id, path, stamps[path], files[video_id]))
            self._tally = self._tally.with_one(readings[-1])
        self._refuse_defect(part, len(paths))
        videos = [reading.video for reading in readings]
        clips = [clip for reading in readings for clip in reading.clips]
        merge_proxies([file for file in files.values() if file.exists()], self._corpus.path("proxies", part))
        self._corpus.write("clips", part, from_rows(clips, CLIPS), CLIPS)
        self._corpus.write("videos", part, from_rows(videos, VIDEOS), VIDEOS)
        return self.so_far() | {"retried": self._child.take_retried()}

    def so_far(self) -> Counts:
        """Videos read, their footage and clips, and the frames that were decoded."""
        return self._tally.counts | {"frames": self._child.frames - self._tally.first_frame}

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

    def _read(self, video_id: str, path: str, stamp: Stamp, proxies: Path) -> VideoReading:
        """What a video gave, or why it gave nothing.

        Raises:
            OSError: the file is not the one that was listed; or it became another while it was read.
        """
        if video_id in self._task.blocked:
            return _not_read(video_id, path, block.REASON, block.ERROR)
        refuse_changed(path, video_id, *stamp)
        reading = self._try(video_id, path, proxies)
        refuse_changed(path, video_id, *stamp)
        return reading

    def _try(self, video_id: str, path: str, proxies: Path) -> VideoReading:
        """Reads in the child; what is raised there is final, a death of the child is tried again up to the limit."""
        try:
            spans = self._spans.get(video_id)
            return self._child.call(read_video, video_id, path, self._task.config, proxies, spans)
        except ChildDied as error:
            return _not_read(video_id, path, "quarantined", str(error))
        except VideoError as error:
            return _not_read(video_id, path, "failed", str(error))
        except (OSError, ChildUnavailable):  # our own disk or our own processes fail; no video is to blame
            raise
        except Exception as error:  # whatever a poisonous file provokes costs this file alone
            self._unforeseen.append(error)
            return _not_read(video_id, path, "failed", f"{type(error).__name__}: {error}")

    def _refuse_defect(self, part: str, num_videos: int) -> None:
        """One poisonous file is an accident; that all of them provoke the same is a defect of ours, e.g. a splitter's.

        Raises:
            RuntimeError: with the first traceback; nothing was recorded.
        """
        kinds = {type(error) for error in self._unforeseen}
        if num_videos < MIN_VIDEOS_OF_DEFECT or len(self._unforeseen) < num_videos or len(kinds) > 1:
            return
        first = self._unforeseen[0]
        raise RuntimeError(
            f"{part}: each of its {num_videos} videos failed with {type(first).__name__}, so that no video is to "
            f"blame; the first was: {first}\n{first.__cause__ or ''}"
        ) from first

    def close(self) -> None:
        """Ends the child."""
        self._child.close()


def _not_read(video_id: str, path: str, status: str, error: str) -> VideoReading:
    known = {"video_id": video_id, "path": path, "status": status, "error": error}
    return VideoReading(dict.fromkeys(VIDEOS.names) | known, [])
