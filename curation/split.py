"""Job 1: every video is read once, in a child that may die without harm; out come videos, clips and proxies."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from curation.child import Child, ChildDied
from curation.config import SplitConfig
from curation.engine import Counts, PartTask, PartWorker
from curation.proxies import merge_proxies
from curation.read_video import VideoReading, read_video
from curation.tables import Corpus
from shards.schema import CLIPS, VIDEOS, from_rows
from shards.video import VideoError


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
        self._child = Child(task.config.limits.wall_s)

    def run(self, part: str) -> Counts:
        """Writes the part's tables; `videos` comes last, so that its presence means the part is done."""
        proxies = self._corpus.folder("proxies")
        proxies.mkdir(parents=True, exist_ok=True)
        # A name of its own: the worker of a killed run may still be at this part for a moment.
        with TemporaryDirectory(prefix=f".{part}.", suffix=".tmp", dir=proxies) as scratch:
            return self._split(part, Path(scratch))

    def _split(self, part: str, scratch: Path) -> Counts:
        paths = self._task.videos[part]
        files = {video_id: scratch / f"{video_id}.parquet" for video_id in paths}
        readings = {video_id: self._read(video_id, path, files[video_id]) for video_id, path in paths.items()}
        videos = [reading.video for reading in readings.values()]
        clips = [clip for reading in readings.values() for clip in reading.clips]
        merge_proxies([file for file in files.values() if file.exists()], self._corpus.path("proxies", part))
        self._corpus.write("clips", part, from_rows(clips, CLIPS), CLIPS)
        self._corpus.write("videos", part, from_rows(videos, VIDEOS), VIDEOS)
        return {"clips": len(clips), **Counter(video["status"] for video in videos)}

    def _read(self, video_id: str, path: str, proxies: Path) -> VideoReading:
        """Tries a video; an exception is final, a death of the child is tried again up to the limit."""
        reason = ""
        for _ in range(self._task.config.limits.attempts):
            try:
                return self._child.call(read_video, video_id, path, self._task.config, proxies)
            except ChildDied as error:
                reason = str(error)
            except VideoError as error:
                return _not_read(video_id, path, "failed", str(error))
            except OSError:  # our own disk is full or gone; no video is to blame
                raise
            except Exception as error:  # whatever a poisonous file provokes costs this file alone
                return _not_read(video_id, path, "failed", f"{type(error).__name__}: {error}")
        return _not_read(video_id, path, "quarantined", reason)

    def close(self) -> None:
        """Ends the child."""
        self._child.close()


def _not_read(video_id: str, path: str, status: str, error: str) -> VideoReading:
    known = {"video_id": video_id, "path": path, "status": status, "error": error}
    return VideoReading(dict.fromkeys(VIDEOS.names) | known, [])
