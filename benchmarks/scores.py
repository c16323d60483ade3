"""Every score against known truth: the planted faults of the demo corpus, and what is known of real footage.

    make bench NAME=scores ARGS="--footage data/demo/footage"

Curates both anew (or goes on in `--out`): split, score, dedup. For each planted fault the AUC of its score is the
chance that a clip with the fault lies on the faulty side of one without any. Real footage is that of RUSHES_MEDIA.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from curation.__main__ import main as curate
from curation.demo.config import DemoConfig
from curation.demo.displacement import displacement
from curation.demo.faults import spoil
from curation.demo.planner import plan_corpus
from curation.demo.timeline import _LEAD_S
from curation.demo.world import random_scene
from curation.joined import join
from curation.tables import Corpus

FAULTS = [
    ("still", "motion", -1),
    ("still", "frozen_share", 1),
    ("slideshow", "slideshow", 1),
    ("flicker", "flicker", 1),
    ("blur", "sharpness", -1),
    ("dark", "under_exposed_share", 1),
    ("letterbox", "bar_share", 1),
    ("pillarbox", "bar_share", 1),
    ("text", "static_text_area", 1),
    ("logo", "static_text_area", 1),
    ("wrong_caption", "clip_similarity", -1),
]
"""A fault, its score, and whether the fault lies above (1) or below (-1)."""
LEAST_AUC = 0.97
LEAST = {"motion_spearman": 0.95, "stills_below_motion_auc": 0.99, "burnt_in_text_found": 1.0}
LEAST |= {"title_card_found": 1.0, "duplicates_found": 1.0}
MOST = {"crop_box_error": 0.01, "text_share_error": 0.03}
BAR = {"letterbox": ("crop_top", "crop_bottom"), "pillarbox": ("crop_left", "crop_right")}
COLUMNS = ("video_id", "start_s", "end_s", "duration_s", "duplicate_group", *dict.fromkeys(c for _, c, _ in FAULTS))
COLUMNS += ("text_area", *BAR["letterbox"], *BAR["pillarbox"])
SUSPECT_NOTHING = ("--split.splitter.suspicion_threshold", "1")
"""For real footage: its only title card fades in and out, and would be kept out of clips before any score saw it."""
FLOW_SIZE = (160, 90)  # pixels at which true displacement is rendered
STEP_S = 0.5
MAP_PX = 16  # short side of the map whose pixels motion is told in


def auc(lower: Iterable[float], higher: Iterable[float]) -> float:
    """Chance that a value of the second lies above one of the first."""
    low, high = np.array(list(lower))[:, None], np.array(list(higher))[None, :]
    return float((low < high).mean() + 0.5 * (low == high).mean())


def spearman(one: list[float], two: list[float]) -> float:
    """Correlation of ranks."""
    ranks = np.argsort(np.argsort([one, two], axis=1), axis=1)
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


def clips_of(root: Path, scorers: list[str]) -> Iterator[dict]:
    """Clips with their scores and the name of their file."""
    joined = join(Corpus(root), [*scorers, "dedup"])
    columns = [name for name in COLUMNS if name in joined.fields]
    for part in joined.parts():
        paths = dict(zip(*joined.corpus.read("videos", part, ["video_id", "path"]).to_pydict().values(), strict=True))
        for clip in joined.read(part, columns).to_pylist():
            yield clip | {"file": Path(paths[clip["video_id"]]).name}


def with_scenes(clips: Iterable[dict], footage: Path) -> list[dict]:
    """Clips that overlap a scene of the truth by nine tenths, with that scene."""
    scenes: dict[str, list[dict]] = {}
    for scene in pq.read_table(footage / "truth/scenes.parquet").to_pylist():
        scenes.setdefault(scene["path"], []).append(scene)
    return [clip | {"scene": s} for clip in clips for s in scenes.get(clip["file"], ()) if _same(clip, s)]


def _same(clip: dict, scene: dict) -> bool:
    overlap = min(clip["end_s"], scene["end_s"]) - max(clip["start_s"], scene["start_s"])
    return overlap >= 0.9 * max(clip["duration_s"], scene["end_s"] - scene["start_s"])


def demo_figures(footage: Path, root: Path) -> dict[str, float]:
    """AUC of each fault, and the errors of what has a size."""
    clips = with_scenes(clips_of(root, ["motion", "frame", "text_area", "openclip"]), footage)
    clean = [clip for clip in clips if not clip["scene"]["faults"]]
    figures = {}
    for fault, column, sign in FAULTS:
        faulty = [sign * c[column] for c in clips if fault in c["scene"]["faults"] and c[column] is not None]
        good = [sign * c[column] for c in clean if c[column] is not None]
        figures[f"{fault}_by_{column}_auc"] = auc(good, faulty)
    plan = {video.path: video for video in plan_corpus(_config(footage)).videos}
    figures["crop_box_error"] = max(_box_error(clip) for clip in clips)
    texts = [clip for clip in clips if clip["scene"]["faults"] == ["text"]]
    errors = [abs(clip["static_text_area"] - _true_share(clip, plan)) for clip in texts]
    figures["text_share_error"] = float(np.mean(errors))
    figures["motion_spearman"] = spearman([c["motion"] for c in clean], [_true_motion(c, plan) for c in clean])
    return figures


def _config(footage: Path) -> DemoConfig:
    return DemoConfig(**json.loads((footage / "corpus.json").read_text(encoding="utf-8")))


def _box_error(clip: dict) -> float:
    """Largest error of the crop box in shares of a side; bars of the demo corpus take an eighth, in whole lines."""
    error = 0.0
    for fault, (low, high) in BAR.items():
        bar = round(180 / 8) / 180 if fault == "letterbox" else 1 / 8
        bar = bar if fault in clip["scene"]["faults"] else 0.0
        error = max(error, abs(clip[low] - bar), abs(clip[high] - (1 - bar)))
    return error


def _planned(clip: dict, plan: dict):
    copied = (clip["scene"]["duplicate_of"] or "").split("#")[0]
    video = plan.get(clip["file"]) or plan[copied]
    return video.scenes[clip["scene"]["scene_index"]]


def _true_share(clip: dict, plan: dict) -> float:
    """Share of the frame in the rectangles around the two lines of a planted subtitle."""
    empty = np.full((180, 320, 3), 128, np.uint8)
    seed = sum(_planned(clip, plan).seed[-2:])
    drawn = (spoil("text", empty.copy(), 0.0, seed) != empty).any(2).astype(np.uint8)
    lines = cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, np.ones((1, 41), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(lines)
    return float(sum(s[cv2.CC_STAT_WIDTH] * s[cv2.CC_STAT_HEIGHT] for s in stats[1:])) / drawn.size


def _true_motion(clip: dict, plan: dict) -> float:
    """Mean length of the rendered displacement in half a second, in pixels of the map."""
    scene = random_scene(np.random.default_rng(_planned(clip, plan).seed), *FLOW_SIZE)
    first_s = _LEAD_S + clip["start_s"] - clip["scene"]["start_s"]
    instants = np.arange(first_s, first_s + clip["duration_s"], STEP_S)  # those that are compared
    lengths = [np.linalg.norm(displacement(scene, *step), axis=2).mean() for step in pairwise(instants)]
    return float(np.mean(lengths)) * MAP_PX / FLOW_SIZE[1]


def media_figures(media: Path, root: Path) -> dict[str, float]:
    """What is known of the real footage, found or not: see its manifest."""
    clips = list(clips_of(root, ["motion", "frame", "text_area"]))
    by_file: dict[str, list[dict]] = {}
    for clip in clips:
        by_file.setdefault(clip["file"], []).append(clip)
    labelled = {Path(name).name for name in json.loads((media / "shots.json").read_text(encoding="utf-8"))}
    stills = ["frozen_75_frames.mp4", "media__silent-black-10s.mp4"]
    moving = [c["motion"] for name in labelled - {"PySceneDetect__testvideo.mp4"} for c in by_file[name]]
    subtitled = [
        c for name in ("PySceneDetect__testvideo.mp4", "media__roadtrip-vp92-10bit.webm") for c in by_file[name]
    ]
    bright = [c for c in subtitled if c["under_exposed_share"] < 0.9]
    card = [c for c in by_file["cosmos-curate__test_video_30s.mp4"] if c["start_s"] < 8 < c["end_s"]]
    return {
        "stills_below_motion_auc": auc([c["motion"] for name in stills for c in by_file[name]], moving),
        "burnt_in_text_found": float(np.mean([c["static_text_area"] > 0.02 for c in bright])),
        "title_card_found": float(np.mean([c["text_area"] > 0 for c in card])),
        "duplicates_found": float(np.mean([_share_a_group(by_file, *pair) for pair in duplicates(media)])),
    }


def duplicates(media: Path) -> Iterator[tuple[str, str]]:
    """Pairs of files that show the same, by the manifest, and are long enough for clips."""
    files = json.loads((media / "manifest.json").read_text(encoding="utf-8"))["files"]
    for file in files:
        truth = file.get("truth") or {}
        of = truth.get("duplicate_of") or truth.get("near_duplicate_of")
        if of and truth.get("n_frames") != 1:
            yield Path(file["path"]).name, Path(of).name


def _share_a_group(by_file: dict[str, list[dict]], one: str, other: str) -> bool:
    groups = [{c["duplicate_group"] for c in by_file.get(name, ())} - {None} for name in (one, other)]
    return bool(groups[0] & groups[1])


def run_jobs(config: str, videos: Path, out: Path, *arguments: str) -> None:
    """Split, score and dedup of a folder."""
    for job in ("split", "score", "dedup"):
        given = ["--config", config, "--videos", str(videos), "--out", str(out), "--job", job, *arguments]
        if curate(["run", *given]):
            raise SystemExit(f"the job {job} failed for {videos}")


def is_ok(figures: dict[str, float]) -> bool:
    """Whether no figure lies below its floor or above its ceiling."""
    least = {name: LEAST.get(name, LEAST_AUC if name.endswith("auc") else 0) for name in figures}
    is_high = all(value >= least[name] for name, value in figures.items())  # of nothing there is no number: NaN
    return is_high and all(figures.get(name, 0) <= most for name, most in MOST.items())


def main() -> int:
    """Prints one line of JSON; exits 1 below a floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", type=Path, default=Path("data/demo/footage"), help="a rendered demo corpus")
    parser.add_argument("--out", type=Path, help="where the curated corpora go; a temporary folder if not told")
    parser.add_argument("--engine", default="ray", choices=["ray", "local"], help="local: in this process")
    parser.add_argument("--sets", nargs="*", default=["demo", "media"], choices=["demo", "media"])
    options, figures = parser.parse_args(), {}
    engine, media = ("--engine", options.engine), os.environ.get("RUSHES_MEDIA")
    with tempfile.TemporaryDirectory() as folder:
        out = options.out or Path(folder)
        if "demo" in options.sets:
            captions = ("--captions", str(options.footage / "captions.parquet"))
            run_jobs("configs/curate/demo.yaml", options.footage / "videos", out / "demo", *engine, *captions)
            figures |= demo_figures(options.footage, out / "demo")
        if "media" in options.sets and media:
            run_jobs("configs/curate/default.yaml", Path(media), out / "media", *engine, *SUSPECT_NOTHING)
            figures |= media_figures(Path(media), out / "media")
    rounded = {name: round(value, 4) for name, value in figures.items()}
    floors = {"least_auc": LEAST_AUC, "least": LEAST, "most": MOST}
    print(json.dumps({"name": "scores", "figures": rounded, "floors": floors, "ok": is_ok(figures)}))
    return 0 if is_ok(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
