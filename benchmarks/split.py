"""What the split job costs over bare decoding of the same files: `make bench NAME=split ARGS="<folder>"`.

Both sides run in this process, one decoder thread each, so the ratio holds on a noisy machine. Start-up is left out.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from curation.config import SplitConfig
from curation.listing import list_videos
from curation.read_video import read_video
from shards.video import VideoError, open_video

CPU_FLOOR = 3.5  # the job may cost at most this many times bare decoding


def bare(path: str) -> int:
    """Decodes every frame and does nothing with it."""
    try:
        with open_video(path, threads=1) as video:
            return sum(1 for _ in video.frames())
    except VideoError:
        return 0


def split(path: str, scratch: Path) -> int:
    """Reads the video as the job does; frames seen."""
    try:
        return read_video("v", path, SplitConfig(), scratch / "proxies.parquet").video["num_frames"]
    except VideoError:
        return 0


def main() -> int:
    """Prints one line of JSON; exits 1 above the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="?", default="data/demo/footage/videos", help="folder, glob or table")
    parser.add_argument(
        "--rounds", type=int, default=3, help="each side is measured so often, in turn; the least counts"
    )
    options = parser.parse_args()
    paths = list_videos(options.videos)["path"].to_pylist()
    cpu_s: dict[str, list[float]] = {"bare": [], "split": []}
    frames: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        split(paths[0], Path(scratch))  # imports happen before the clock starts
        for _ in range(options.rounds):
            for name, work in {"bare": bare, "split": lambda path: split(path, Path(scratch))}.items():
                start = time.process_time()
                frames[name] = sum(work(path) for path in paths)
                cpu_s[name].append(time.process_time() - start)
    ratio = min(cpu_s["split"]) / min(cpu_s["bare"])
    figures = {
        "files": len(paths),
        "frames_seen_over_frames": frames["split"] / frames["bare"],
        "cpu_over_bare_decoding": round(ratio, 3),
        "frames_per_cpu_second": round(frames["split"] / min(cpu_s["split"])),
    }
    ok = ratio <= CPU_FLOOR and figures["frames_seen_over_frames"] == 1
    print(json.dumps({"name": "split", "figures": figures, "floors": {"cpu_over_bare_decoding": CPU_FLOOR}, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
