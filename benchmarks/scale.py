"""How `split` grows: with workers, and with the number of videos. `make bench NAME=scale`.

Videos a second with two workers over those with one, on small rendered videos, counted from the first part of each
worker on, so that start-up is left out. And what the driver's memory grows by when it lists, hashes, groups and gives
out 1,000 and 100,000 videos, whose reading is stubbed; each in a process of its own, over its memory once Ray runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from curation.config import InputsConfig, SplitConfig
from curation.corpus import update_inputs
from curation.engine import Counts, Engine, PartTask, PartWorker, start_ray, stop_ray
from curation.listing import list_videos
from curation.split import SplitTask
from curation.tables import Corpus
from curation.unique import unique_videos

SPEED_UP_FLOOR = 1.5  # two workers over one, on two free cores
BYTES_A_VIDEO_CEILING = 1000  # of memory that the driver grows by; a path alone takes about 100
FEW, MANY = 1_000, 100_000


@dataclass(frozen=True)
class Stub(PartTask):
    """Stands in for the reading of videos."""

    copies: dict[str, frozenset[str]]

    def build(self) -> PartWorker:
        """A worker that reads nothing."""
        return StubWorker()


class StubWorker(PartWorker):
    """Counts a part as done."""

    def run(self, part: str) -> Counts:
        """Does nothing."""
        return {"videos": 16, "clips": 0}


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def driver_growth(number: int) -> int:
    """Bytes that the driver of so many videos has grown by at its end, Ray's start left out."""
    with tempfile.TemporaryDirectory() as scratch:
        footage = Path(scratch) / "in"
        footage.mkdir()
        for k in range(number):
            (footage / f"{k:06d}.mp4").write_bytes(b"%d" % k)
        start_ray()
        corpus = Corpus(Path(scratch) / "out")
        before = resident_bytes()
        update_inputs(corpus, list_videos(str(footage)), InputsConfig())
        unique, parts = unique_videos(corpus), corpus.parts("inputs")
        Engine("ray", 2, Path(scratch) / "journal").run("split", Stub(unique.copies), parts, lambda part, counts: None)
        growth = resident_bytes() - before
    stop_ray()
    return growth


def driver_growth_apart(number: int) -> int:
    """The same in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--driver-of", str(number)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def render(folder: Path, number: int) -> None:
    """Videos of other ids and the same frames: what follows the last box of an mp4 is read by nobody."""
    from footage import noise_scene, write_video  # pyright: ignore[reportMissingImports]

    film = write_video(folder / "film.mp4", noise_scene(1, 60, size=(640, 360)))
    for k in range(number):
        (folder / f"{k:03d}.mp4").write_bytes(film.read_bytes() + (16).to_bytes(4, "big") + b"free%08d" % k)
    film.unlink()


def videos_a_second(corpus: Corpus, workers: int, scratch: Path) -> float:
    """Rate of `split`, from when each worker has done a part to the last."""
    ends: list[tuple[float, float]] = []
    task = SplitTask(corpus, SplitConfig(), {}, into=Corpus(scratch / "into"))
    engine = Engine("ray", workers, scratch / "journal")
    parts = corpus.parts("inputs")
    engine.run("split", task, parts, lambda part, counts: ends.append((time.monotonic(), counts["videos"])))
    first, last = ends[workers - 1][0], ends[-1][0]
    return sum(videos for _, videos in ends[workers:]) / (last - first)


def speeds(number: int, rounds: int) -> tuple[float, float]:
    """Videos a second with one worker and with two: the best of rounds in turn, for others may use the machine."""
    with tempfile.TemporaryDirectory() as folder:
        footage = Path(folder) / "in"
        footage.mkdir()
        render(footage, number)
        corpus = Corpus(Path(folder) / "out")
        update_inputs(corpus, list_videos(str(footage)), InputsConfig(part_max_videos=4))
        rates = [[videos_a_second(corpus, workers, Path(folder)) for workers in (1, 2)] for _ in range(rounds)]
    stop_ray()
    return max(one for one, _ in rates), max(two for _, two in rates)


def main() -> int:
    """Prints one line of JSON; exits 1 below a floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=96, help="small videos for the speed")
    parser.add_argument("--rounds", type=int, default=3, help="the speed is measured so often")
    parser.add_argument("--driver-of", type=int, help="only tell the driver's growth in bytes with so many videos")
    options = parser.parse_args()
    if options.driver_of:
        print(driver_growth(options.driver_of))
        return 0
    one, two = speeds(options.videos, options.rounds)
    few, many = driver_growth_apart(FEW), driver_growth_apart(MANY)
    a_video = (many - few) / (MANY - FEW)
    figures = {
        "videos_a_second_1_worker": round(one, 2),
        "videos_a_second_2_workers": round(two, 2),
        "speed_up": round(two / one, 2),
        f"driver_growth_mb_{FEW}": round(few / 2**20, 1),
        f"driver_growth_mb_{MANY}": round(many / 2**20, 1),
        "driver_bytes_a_video": round(a_video),
    }
    floors = {"speed_up": SPEED_UP_FLOOR, "driver_bytes_a_video": BYTES_A_VIDEO_CEILING}
    ok = two / one >= SPEED_UP_FLOOR and a_video <= BYTES_A_VIDEO_CEILING
    print(json.dumps({"name": "scale", "figures": figures, "floors": floors, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    import scale  # by its name, under which workers find the stub

    sys.exit(scale.main())
