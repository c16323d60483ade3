"""How well each splitter finds cuts and transitions, and what it costs: `make bench NAME=cuts ARGS="..."`.

On the demo corpus, on the hand labels of RUSHES_MEDIA where that is set, and on the edited footage of `edited.json`
where a folder holds its files. Decoding and thumbnails are paid once for all splitters and left out of their costs.
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cut_score import Counts, Truth, count
from benchmarks.edited_footage import edited
from curation.config import SplitConfig
from curation.scenes import ClipRule
from curation.small_frame import small_frame
from curation.splitter import Splitter
from curation.splitters.adaptive import Adaptive
from curation.splitters.cascade import Cascade
from curation.splitters.content import Content
from curation.splitters.hybrid import Hybrid
from curation.splitters.threshold import Threshold
from curation.splitters.transnet import TransNet
from shards.video import open_video

F1_FLOORS = {"demo": 0.95, "labels": 0.9, "edited": 0.95}
COST_CEILING = 0.25  # of what transnet costs in the same run
IN_CLIPS_CEILING = 0.02  # share of the frames of known transitions
SPLITTERS: dict[str, Splitter] = {
    "content": Content(),
    "adaptive": Adaptive(),
    "threshold": Threshold(),
    "cascade": Cascade(),
    "transnet": TransNet(device="cpu"),
    "hybrid": Hybrid(device="cpu"),
}


def demo_truth(footage: Path) -> Iterator[tuple[Path, list[dict]]]:
    """The files of a demo corpus that are whole and no copies, with their rows of `cuts`."""
    rows = defaultdict(list)
    for row in pq.read_table(footage / "truth" / "cuts.parquet").to_pylist():
        rows[row["path"]].append(row)
    for video in pq.read_table(footage / "truth" / "videos.parquet").to_pylist():
        if video["expected_status"] == "ok" and not video["copy_of"] and video["path"] in rows:
            yield footage / "videos" / video["path"], rows[video["path"]]


def truth_of_rows(rows: list[dict], pts: np.ndarray) -> Truth:
    """Rows of the demo corpus's `cuts` in frames."""
    spans = [np.searchsorted(pts, [row["start_pts"], row["end_pts"]]).tolist() for row in rows]
    return Truth([a for a, b in spans if a == b], [(a, b - 1) for a, b in spans if a < b])


def labelled(media: Path) -> Iterator[tuple[Path, Truth]]:
    """The files that were labelled by hand from end to end, and their labels."""
    for name, label in json.loads((media / "shots.json").read_text(encoding="utf-8")).items():
        if label.get("exhaustive", True):
            label = label.get(f"stream{_stream_read(media / name)}", label)
            gradual = [(first, last) for first, last in label["gradual"]]
            yield media / name, Truth(label["cuts"], gradual, label.get("ambiguous", []))


def _stream_read(path: Path) -> int:
    """Of a file with several video streams one is read, and each has frame numbers of its own."""
    with open_video(str(path), threads=1) as video:
        return video.info.stream_index


class Race:
    """Runs splitters side by side over the same frames and adds up counts and time."""

    def __init__(self, splitters: dict[str, Splitter]) -> None:
        self._splitters = splitters
        self.counts: dict[str, Counts] = {name: Counts() for name in splitters}
        self._seconds: dict[str, float] = dict.fromkeys(splitters, 0.0)

    def run(self, path: Path, truth: "Truth | list[dict]", start: int = 0, end: int | None = None) -> None:
        """Takes a video, or some of its frames, and what is known of them."""
        with open_video(str(path), threads=1) as video:
            time_base, fps = video.info.time_base, video.info.frame_rate
            detectors = {name: splitter.build(time_base, fps) for name, splitter in self._splitters.items()}
            pts = []
            for frame in islice(video.frames(), start, end):
                small = small_frame(frame)
                pts.append(frame.pts)
                for name, detector in detectors.items():
                    self._timed(name, lambda detector=detector, small=small: detector.process(small))
                    small.__dict__.pop("bgr", None)  # each pays for the pictures that it asks for
        times, rule = np.array(pts, np.int64), clip_rule(time_base)
        known = truth if isinstance(truth, Truth) else truth_of_rows(truth, times)
        for name, detector in detectors.items():
            self.counts[name] += count(self._timed(name, detector.finish), times, known, rule)

    def _timed(self, name, work):
        start = time.process_time()
        result = work()
        self._seconds[name] += time.process_time() - start
        return result

    def figures(self) -> dict[str, dict]:
        """Accuracy and cost of each splitter."""
        return {
            name: counts.figures() | {"ms_per_frame": round(1000 * self._seconds[name] / max(1, counts.frames), 3)}
            for name, counts in self.counts.items()
        }


def clip_rule(time_base: Fraction) -> ClipRule:
    """Clips as the default configuration makes them."""
    config = SplitConfig()
    ticks = (round(Fraction(s) / time_base) for s in (config.min_clip_s, config.max_clip_s, config.trim_s))
    return ClipRule(*ticks)


def main() -> int:
    """Prints one line of JSON; exits 1 below the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, default=Path("data/demo/footage"), help="a demo corpus")
    parser.add_argument("--demo_videos", type=int, default=12, help="take so many of its videos")
    parser.add_argument("--sets", nargs="*", default=["demo", "labels"])
    parser.add_argument("--edited", type=Path, help="a folder with files that edited.json names")
    parser.add_argument("--only", nargs="*", default=list(SPLITTERS), choices=SPLITTERS, help="splitters to run")
    options = parser.parse_args()
    media = os.environ.get("RUSHES_MEDIA")
    sets: dict[str, list] = {}
    if "demo" in options.sets:
        sets["demo"] = list(demo_truth(options.footage))[: options.demo_videos]
    if media and "labels" in options.sets:
        sets["labels"] = list(labelled(Path(media)))
    if options.edited:
        sets["edited"] = [(one.path, one.truth, *one.frames) for one in edited(options.edited)]
    figures = {}
    for name, videos in sets.items():
        race = Race({key: SPLITTERS[key] for key in options.only})
        for video in videos:
            race.run(*video)
        figures[name] = race.figures()
    ok = all(_holds(name, of_set) for name, of_set in figures.items())
    floors = {
        "hybrid_f1": F1_FLOORS,
        "hybrid_cost_over_transnet": COST_CEILING,
        "hybrid_transition_frames_in_clips": IN_CLIPS_CEILING,
    }
    counts = {name: len(videos) for name, videos in sets.items()}
    print(json.dumps({"name": "cuts", "videos": counts, "figures": figures, "floors": floors, "ok": ok}))
    return 0 if ok else 1


def _holds(name: str, figures: dict[str, dict]) -> bool:
    """Whether `hybrid` is good enough on a set, and no worse than `transnet` at a quarter of its cost if both ran."""
    hybrid, transnet = figures.get("hybrid"), figures.get("transnet")
    if hybrid is None:
        return True
    is_good = hybrid["f1"] >= max(F1_FLOORS[name], transnet["f1"] if transnet else 0)
    is_cheap = transnet is None or hybrid["ms_per_frame"] <= COST_CEILING * transnet["ms_per_frame"]
    return is_good and is_cheap and hybrid["transition_frames_in_clips"] <= IN_CLIPS_CEILING


if __name__ == "__main__":
    sys.exit(main())
