"""Job 1: every video is read once, in a child that may die without harm; out come videos, clips and proxies."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from curation.child import Child, ChildDied, ChildUnavailable
from curation.config import SplitConfig
from curation.engine import Counts, PartTask, PartWorker
from curation.proxies import merge_proxies
from curation.read_video import VideoReading, read_video
from curation.stamp import refuse_changed
from curation.tables import Corpus
from shards.schema import CLIPS, VIDEOS, from_rows
from shards.store import TEMPORARY_SUFFIX
from shards.video import VideoError

MIN_VIDEOS_OF_DEFECT = 4  # that fewer videos provoke the same exception may be chance

Stamp = tuple[int | None, int | None]
"""Size in bytes and modification time in ns; null where the file could not be read."""


@dataclass(frozen=True)
class SplitTask(PartTask):
    """Splits the unique videos of a part."""

    corpus: Corpus
    config: SplitConfig
    videos: dict[str, dict[str, str]]
    """Part -> video_id -> path."""

    def build(self) -> PartWorker:
        """A worker with a child process of its own."""
        return SplitWorker(self)


class SplitWorker(PartWorker):
    """Reads the videos of one part after the other."""

    def __init__(self, task: SplitTask) -> None:
        self._task, self._corpus = task, task.corpus
        limits = task.config.limits
        self._child = Child(limits.wall_s, limits.attempts)
        self._unforeseen: list[Exception] = []

    def run(self, part: str) -> Counts:
        """Writes the part's tables; `videos` comes last, so that its presence means the part is done."""
        proxies = self._corpus.folder("proxies")
        proxies.mkdir(parents=True, exist_ok=True)
        # A name of its own: the worker of a killed run may still be at this part for a moment.
        with TemporaryDirectory(prefix=f".{part}.", suffix=TEMPORARY_SUFFIX, dir=proxies) as scratch:
            return self._split(part, Path(scratch))

    def _split(self, part: str, scratch: Path) -> Counts:
        paths, stamps = self._task.videos[part], self._stamps(part)
        self._unforeseen = []
        files = {video_id: scratch / f"{video_id}.parquet" for video_id in paths}
        readings = [self._read(v, path, stamps[path], files[v]) for v, path in paths.items()]
        self._refuse_defect(part, len(paths))
        videos = [reading.video for reading in readings]
        clips = [clip for reading in readings for clip in reading.clips]
        merge_proxies([file for file in files.values() if file.exists()], self._corpus.path("proxies", part))
        self._corpus.write("clips", part, from_rows(clips, CLIPS), CLIPS)
        self._corpus.write("videos", part, from_rows(videos, VIDEOS), VIDEOS)
        statuses = Counter(video["status"] for video in videos)
        return {"clips": len(clips), "retried": self._child.take_retried(), **statuses}

    def _stamps(self, part: str) -> dict[str, Stamp]:
        """Path -> size and modification time when it was listed."""
        rows = self._corpus.read("inputs", part, ["path", "size_bytes", "mtime_ns"]).to_pylist()
        return {row["path"]: (row["size_bytes"], row["mtime_ns"]) for row in rows}

    def _read(self, video_id: str, path: str, stamp: Stamp, proxies: Path) -> VideoReading:
        """What a video gave, or why it gave nothing.

        Raises:
            OSError: the file is not the one that was listed; or it became another while it was read.
        """
        refuse_changed(path, video_id, *stamp)
        reading = self._try(video_id, path, proxies)
        refuse_changed(path, video_id, *stamp)
        return reading

    def _try(self, video_id: str, path: str, proxies: Path) -> VideoReading:
        """Reads in the child; what is raised there is final, a death of the child is tried again up to the limit."""
        try:
            return self._child.call(read_video, video_id, path, self._task.config, proxies)
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
