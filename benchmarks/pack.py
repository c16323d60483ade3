"""What packing costs: clips that are copied over `cp`, clips that are encoded over bare PyAV, one worker over two.

    make bench NAME=pack ARGS="<folder, glob or table>"

The clips run from keyframe to keyframe, at least two seconds each, of the largest few files; what cannot be copied is
left out of all sides. They are packed by the job's own worker, child process and tar included, its start-up left
out. `cp` copies the very bytes that copying gave, from file to file. The bare transcode opens, seeks, decodes, scales
and encodes with the same encoder settings, one thread each, and writes files. The sides take turns and the least of
several rounds counts, so the ratios hold on a noisy machine. What a second worker gains depends on who else uses the
cores, so it is set against what a second process gains the bare transcode.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from fractions import Fraction
from functools import partial
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import av
from av.container import OutputContainer

from curation.config import PackConfig
from curation.listing import list_videos
from curation.pack_plan import PLAN
from curation.pack_worker import PackTask, PackWorker
from curation.set_files import set_files
from curation.tables import Corpus
from shards.copy import NotCopyable, copy_clip
from shards.schema import from_rows
from shards.store import write_json, write_table
from shards.video import VideoError, open_video

MOST = {"copy_over_cp": 60.0, "encode_over_bare_pyav": 1.15}
LEAST = {"encode_over_copy": 5.0, "gain_over_that_of_bare_pyav": 0.8}
LEAST_S, MOST_CLIPS = 2.0, 6  # length of a clip; clips of a file
PARTS = ("train/00000", "train/00001")


def clips_of(path: str) -> list[dict]:
    """Rows of a plan: clips from keyframe to keyframe."""
    with open_video(path) as video:
        frames = [(frame.pts, bool(frame.raw.key_frame)) for frame in video.frames()]
        time_base = video.info.time_base
    rows, first = [], 0
    for number, (pts, is_key) in enumerate(frames):
        if is_key and (pts - frames[first][0]) * time_base >= LEAST_S:
            rows.append(row_of(path, frames[first][0], pts, number - first, time_base))
            first = number
    return rows[:MOST_CLIPS]


def row_of(path: str, start_pts: int, end_pts: int, num_frames: int, time_base: Fraction) -> dict:
    """A row of `PLAN`."""
    known = {"key": f"{abs(hash(path)):020x}-{start_pts:09d}", "path": path, "start_pts": start_pts, "end_pts": end_pts}
    known |= {"video_id": "0" * 20, "num_frames": num_frames, "size_bytes": os.stat(path).st_size}
    known |= {"mtime_ns": os.stat(path).st_mtime_ns, "duration_s": float((end_pts - start_pts) * time_base)}
    known |= {"time_base_num": time_base.numerator, "time_base_den": time_base.denominator, "config_hash": ""}
    maps = {field.name: [] for field in PLAN if str(field.type).startswith(("map", "list"))}
    return dict.fromkeys(PLAN.names) | maps | known


def copyable(rows: list[dict]) -> list[dict]:
    """Those that can be copied."""
    found = []
    for row in rows:
        try:
            copy_clip(row["path"], row["start_pts"], row["end_pts"], row["num_frames"])
        except NotCopyable:
            continue
        found.append(row)
    return found


def bare(rows: list[dict], folder: Path, config: PackConfig) -> None:
    """Transcodes every clip as a short script would."""
    for row in rows:
        with av.open(str(row["path"])) as source, av.open(str(folder / f"{row['key']}.mp4"), "w") as target:
            stream = source.streams.video[0]
            source.seek(row["start_pts"], stream=stream)
            out = None
            for frame in source.decode(stream):
                if frame.pts is None or frame.pts < row["start_pts"]:
                    continue
                if frame.pts >= row["end_pts"]:
                    break
                out = out or add_encoder(target, stream, frame, config)
                picture = frame.reformat(out.width, out.height, "yuv420p", threads=1)
                picture.pts, picture.pict_type = frame.pts - row["start_pts"], 0
                target.mux(out.encode(picture))
            if out:
                target.mux(out.encode())


def add_encoder(
    target: OutputContainer, stream: av.VideoStream, frame: av.VideoFrame, config: PackConfig
) -> av.VideoStream:
    """The encoder with the settings of the job."""
    options = {"crf": str(config.crf), "preset": str(config.preset), "mbtree": "0"}
    out = target.add_stream(config.codec, rate=stream.average_rate, options=options)
    assert isinstance(out, av.VideoStream)
    out.width, out.height, out.pix_fmt = frame.width // 2 * 2, frame.height // 2 * 2, "yuv420p"
    out.codec_context.time_base = out.time_base = stream.time_base or Fraction(1, 90000)
    out.codec_context.gop_size, out.codec_context.thread_count = config.gop_frames, 1
    return out


class Bench:
    """A set that is packed over and over."""

    def __init__(self, root: Path, rows: list[dict]) -> None:
        self.root, self.rows, self.corpus = root, rows, Corpus(root / "corpus")
        files = set_files(self.corpus, "bench")
        for number, part in enumerate(PARTS):
            write_table(files.plan(part), from_rows(rows[number :: len(PARTS)], PLAN), PLAN)
        write_json(files.plan_list, {"generations": [{"parts": list(PARTS)}]})

    def worker(self, config: PackConfig) -> PackWorker:
        """A worker whose child has begun."""
        worker = PackTask(self.corpus, config, "bench").build()
        assert isinstance(worker, PackWorker)
        counts = worker.run(PARTS[0])
        assert not counts["failed"], "a clip failed: see its failures/"
        return worker

    def copies(self) -> list[Path]:
        """The clips as files, copied packet by packet."""
        folder = self.root / "copies"
        folder.mkdir(exist_ok=True)
        paths = [folder / f"{row['key']}.mp4" for row in self.rows]
        for row, path in zip(self.rows, paths, strict=True):
            clip = copy_clip(row["path"], row["start_pts"], row["end_pts"], row["num_frames"])
            path.write_bytes(clip.content)
        return paths

    def cp(self, paths: list[Path]) -> None:
        """Copies files."""
        for path in paths:
            shutil.copyfile(path, self.root / "cp.mp4")


def seconds(job: Callable[[], object]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def measure(bench: Bench, rounds: int) -> dict[str, float]:
    """The ratios; each side's least time of several rounds counts."""
    encoding, copying = PackConfig(), PackConfig(mode="copy")
    bare_folder = bench.root / "bare"
    bare_folder.mkdir()
    paths, times = bench.copies(), {}
    with (
        closing(bench.worker(encoding)) as one,
        closing(bench.worker(encoding)) as two,
        closing(bench.worker(copying)) as copier,
        ThreadPoolExecutor(2) as threads,
        ProcessPoolExecutor(2, get_context("spawn")) as processes,
    ):
        halves = [bench.rows[number :: len(PARTS)] for number in range(len(PARTS))]
        bare_part = partial(bare, folder=bare_folder, config=encoding)
        list(processes.map(bare_part, [rows[:1] for rows in halves]))  # imports come before the clock starts
        sides: dict[str, Callable[[], object]] = {
            "cp": lambda: bench.cp(paths),
            "copy": bench.copies,
            "pack_copy": lambda: [copier.run(part) for part in PARTS],
            "bare": lambda: bare_part(bench.rows),
            "two_bare": lambda: list(processes.map(bare_part, halves)),
            "encode": lambda: [one.run(part) for part in PARTS],
            "two": lambda: list(threads.map(lambda job: job[0].run(job[1]), zip((one, two), PARTS, strict=True))),
        }
        for _ in range(rounds):
            for name, job in sides.items():
                times.setdefault(name, []).append(seconds(job))
    least = {name: min(taken) for name, taken in times.items()}
    num_bytes = sum(path.stat().st_size for path in paths)
    return {
        "clips": len(bench.rows),
        "copied_mb": round(num_bytes / 1e6, 2),
        "copy_ms_a_clip": round(1000 * least["copy"] / len(bench.rows), 2),
        "copy_over_cp": round(least["copy"] / least["cp"], 2),
        "encode_over_bare_pyav": round(least["encode"] / least["bare"], 3),
        "encode_over_copy": round(least["encode"] / least["pack_copy"], 2),
        "one_worker_over_two": round(least["encode"] / least["two"], 3),
        "gain_over_that_of_bare_pyav": round(least["encode"] / least["two"] / (least["bare"] / least["two_bare"]), 3),
    }


def main() -> int:
    """Prints one line of JSON; exits 1 beyond a floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="?", default=os.environ.get("RUSHES_MEDIA") or "data/demo/footage/videos")
    parser.add_argument("--files", type=int, default=5, help="the largest so many are taken")
    parser.add_argument("--rounds", type=int, default=3, help="each side is measured so often, in turn")
    options = parser.parse_args()
    paths = sorted(list_videos(options.videos)["path"].to_pylist(), key=os.path.getsize, reverse=True)
    rows: list[dict] = []
    for path in paths[: options.files]:
        try:
            rows += clips_of(path)
        except VideoError:
            continue
    usable = copyable(rows)
    if len(usable) < 2:
        parser.error(f"{options.videos}: fewer than two clips can be copied; name other videos")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Bench(Path(folder), usable), options.rounds)
    figures["copied_share"] = round(len(usable) / len(rows), 3)
    ok = all(figures[name] <= most for name, most in MOST.items())
    ok &= all(figures[name] >= least for name, least in LEAST.items())
    print(json.dumps({"name": "pack", "figures": figures, "floors": {**MOST, **LEAST}, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
