"""What the split job costs over bare decoding of the same files, and what memory it takes of a long video.

    make bench NAME=split ARGS="<folder, glob or table>"

Bare decoding is PyAV's in this process, with threads on all cores (`thread_type="AUTO"`); the job runs as it always
does, a process a core with one decoder thread. They take turns, so the ratios hold on a noisy machine; start-up is left
out. TransNetV2 is left out as well: what it costs depends on the footage and stands in `benchmarks/cuts.py`. Memory is
that of a fresh process, over what it held after its imports and its model; `--memory none` leaves the long videos out,
which take minutes.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import av
from av.container import InputContainer
from long_video import growth_bytes

from curation.child import ENVIRONMENT
from curation.config import SplitConfig
from curation.listing import list_videos
from curation.read_video import read_video
from curation.splitters.hybrid import Hybrid
from shards.video import Video, VideoError

MOST = {"frames_decoded_over_frames": 1.02, "cpu_over_bare_decoding": 1.6, "wall_over_bare_decoding": 1.6}
MOST_GROWTH = {"of_10_minutes_mb": 400, "of_2_hours_mb": 400, "of_2_hours_over_10_minutes": 1.1}
CONFIG = SplitConfig(splitter=Hybrid(doubt=(1, 1)))


def bare(path: str) -> int:
    """Decodes every frame and does nothing with it."""
    try:
        with av.open(path) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream):
                return 0
            stream.thread_type = "AUTO"
            return _count(container, stream)
    except (av.FFmpegError, OSError):
        return 0


def _count(container: InputContainer, stream: av.VideoStream) -> int:
    """Frames of a stream; packets that do not decode are passed over, as the job does."""
    number = 0
    for packet in container.demux(stream):
        try:
            number += len(packet.decode())
        except av.FFmpegError:
            continue
    return number


def split(path: str, scratch: str) -> tuple[int, float]:
    """Reads the video as the job does, in a worker: frames decoded, and CPU time."""
    start = time.process_time()
    proxies = Path(scratch) / f"{os.getpid()}.parquet"
    with decoded_frames() as number, suppress(VideoError):
        read_video("v", path, CONFIG, proxies)
    return number[0], time.process_time() - start


@contextmanager
def decoded_frames() -> Iterator[list[int]]:
    """Counts every frame that is decoded meanwhile, in whatever pass: nothing else of ours decodes."""
    number, decoded = [0], Video._decoded

    def counted(video: Video) -> Iterator[av.VideoFrame]:
        for frame in decoded(video):
            number[0] += 1
            yield frame

    with mock.patch.object(Video, "_decoded", counted):
        yield number


def measure(paths: list[str], rounds: int, scratch: str) -> dict[str, float]:
    """Frames, CPU time and wall time of the job over those of bare decoding; the least of several rounds counts."""
    paths = sorted(paths, key=os.path.getsize, reverse=True)  # the longest first, as both cores shall be busy
    times: dict[str, list[tuple[float, float]]] = {"bare": [], "split": []}
    os.environ.update(ENVIRONMENT | os.environ)  # workers read it when they start, as the job's do
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as workers:
        list(workers.map(split, paths, repeat(scratch)))  # imports and models come before the clock starts
        for _ in range(rounds):
            cpu, wall = time.process_time(), time.perf_counter()
            frames = sum(map(bare, paths))
            times["bare"].append((time.process_time() - cpu, time.perf_counter() - wall))
            wall = time.perf_counter()
            seen, taken = zip(*workers.map(split, paths, repeat(scratch)), strict=True)
            times["split"].append((sum(taken), time.perf_counter() - wall))
    least = {name: [min(column) for column in zip(*rows, strict=True)] for name, rows in times.items()}
    return {
        "files": len(paths),
        "frames": frames,
        "bare_ms_per_frame": round(1000 * least["bare"][0] / frames, 3),
        "frames_decoded_over_frames": round(sum(seen) / frames, 4),
        "cpu_over_bare_decoding": round(least["split"][0] / least["bare"][0], 3),
        "wall_over_bare_decoding": round(least["split"][1] / least["bare"][1], 3),
    }


def memory(scratch: Path) -> dict[str, float]:
    """Growth of a worker over 10 minutes and over 2 hours of 720p, in MB."""
    ten, hours = (growth_bytes(scratch, minutes) / 2**20 for minutes in (10, 120))
    return {
        "of_10_minutes_mb": round(ten, 1),
        "of_2_hours_mb": round(hours, 1),
        "of_2_hours_over_10_minutes": round(hours / ten, 3),
    }


def main() -> int:
    """Prints one line of JSON; exits 1 above a floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="?", default=os.environ.get("RUSHES_MEDIA") or "data/demo/footage/videos")
    parser.add_argument("--rounds", type=int, default=3, help="each side is measured so often, in turn")
    parser.add_argument("--memory", choices=["long", "none"], default="long", help="also read 10 minutes and 2 hours")
    options = parser.parse_args()
    paths = list_videos(options.videos)["path"].to_pylist()
    with tempfile.TemporaryDirectory() as folder:
        figures, floors = measure(paths, options.rounds, folder), dict(MOST)
        if options.memory == "long":
            figures, floors = figures | memory(Path(folder)), floors | MOST_GROWTH
    ok = all(figures[name] <= most for name, most in floors.items())
    print(json.dumps({"name": "split", "figures": figures, "floors": floors, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
