"""Whether each metric orders known degradations of real videos the right way.

    make bench NAME=metric_ladder [ARGS="--videos 256 --i3d i3d_torchscript.pt --inception inception-2015-12-05.pt"]

Held-out scenes of the demo world are spoilt by rising strength (`benchmarks/degradations.py`); Frechet distances are to
the same scenes before that, so that they start at 0. `apart` is the distance to as many other scenes, none of them
spoilt: what a smaller distance than that tells is hidden by the choice of scenes. `RESPONSES` says which metric has to
answer what, and which way; metrics whose weights are not named are left out. Reads nothing but the demo's weights,
which stand in for C3D in Inception Score (`benchmarks/demo_classes.py`).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

from benchmarks.degradations import WAYS, others
from benchmarks.demo_classes import write_classes
from benchmarks.held_out_scenes import HeldOut, held_out_scenes
from training.bucket import Bucket
from training.metrics.clipsim import ClipSim
from training.metrics.consistency import BackgroundConsistency
from training.metrics.dynamic_degree import DynamicDegree
from training.metrics.evaluation import Evaluation
from training.metrics.fid import FrechetInceptionDistance
from training.metrics.fvd import FrechetVideoDistance
from training.metrics.inception_score import InceptionScore
from training.metrics.metric import Metric, Videos
from training.metrics.motion_smoothness import MotionSmoothness
from training.metrics.open_clip_frames import OpenClip
from training.metrics.temporal_flickering import TemporalFlickering
from training.metrics.video_net import ProxyFrechetDistance, VideoNet

WEIGHTS = Path(__file__).resolve().parent.parent / "curation" / "demo" / "weights"
FPS = 8.0
SIZE = (64, 96)
BATCH = 32
RISES, FALLS, SAME = 1, -1, 0
RESPONSES = {
    "fvd": {"noise": RISES, "blur": RISES, "frozen": RISES, "shuffled": RISES},
    "fid": {"noise": RISES, "blur": RISES, "shuffled": SAME},
    "proxy_fd": {"noise": RISES, "blur": RISES, "frozen": RISES, "shuffled": RISES},
    "clipsim": {"caption": FALLS, "noise": FALLS, "blur": FALLS, "shuffled": SAME},
    "inception_score": {"blur": FALLS, "shuffled": FALLS},
    "background_consistency": {"noise": FALLS, "frozen": RISES, "shuffled": FALLS},
    "temporal_flickering": {"noise": FALLS, "blur": RISES, "frozen": RISES, "shuffled": FALLS},
    "motion_smoothness": {"noise": FALLS, "shuffled": FALLS},
    "dynamic_degree": {"frozen": FALLS},
}


def spoilt(scenes: Sequence[HeldOut], way: str, strength: float) -> Videos:
    """The scenes' videos after a degradation; the same arguments give the same ones."""
    spoil = WAYS[way].spoil
    frames = [spoil(scene.frames, strength, np.random.default_rng(place)) for place, scene in enumerate(scenes)]
    captions = [scene.caption for scene in scenes]
    told = others(captions, strength) if way == "caption" else captions
    return Videos(torch.from_numpy(np.stack(frames)), told, FPS)


def at_hand(folder: Path, frames: int) -> list[Metric]:
    """The metrics for which the demo's weights suffice.

    Args:
        folder: where the stand-in for C3D is written.
        frames: of the videos.
    """
    clip = OpenClip(f"local-dir:{WEIGHTS / 'clip'}")
    classes = write_classes(folder / "classes.pt")
    return [
        ProxyFrechetDistance(VideoNet(str(WEIGHTS / "video_net"))),
        ClipSim(clip),
        InceptionScore(classes, num_frames=frames, num_splits=1),
        BackgroundConsistency(clip),
        TemporalFlickering(),
        MotionSmoothness(),
        DynamicDegree(),
    ]


def measured(metrics: Sequence[Metric], fake: Videos, real: Videos) -> dict[str, float]:
    """The value of each metric.

    Raises:
        ValueError: one is missing.
    """
    evaluation = Evaluation(metrics, torch.device("cpu"))
    for videos, is_real in ((fake, False), (real, True)):
        for start in range(0, len(videos.captions), BATCH):
            rows = slice(start, start + BATCH)
            part = Videos(videos.frames[rows], videos.captions[rows], videos.fps)
            evaluation.add(range(start, start + len(part.captions)), part, is_real)
    found = evaluation.figures()
    if told := [f"{figure.name}: {figure.missing}" for figure in found if figure.missing]:
        raise ValueError("; ".join(told))
    return {figure.name: figure.value for figure in found if figure.value is not None}


def ladder(metrics: Sequence[Metric], scenes: Sequence[HeldOut]) -> dict[str, dict[str, list[float]]]:
    """Values of each metric by degradation, one a strength.

    Args:
        metrics: with names of `RESPONSES`.
        scenes: that are spoilt; as they were, they are the real ones.
    """
    real = spoilt(scenes, "noise", 0)
    found: dict[str, dict[str, list[float]]] = {metric.name: {} for metric in metrics}
    for way, degradation in WAYS.items():
        answering = [metric for metric in metrics if way in RESPONSES[metric.name]]
        for strength in degradation.strengths:
            for name, value in measured(answering, spoilt(scenes, way, strength), real).items():
                found[name].setdefault(way, []).append(value)
        print(f"{way}: { ({m.name: [f'{v:.4g}' for v in found[m.name][way]] for m in answering}) }", flush=True)
    return found


def is_ordered(values: Sequence[float], response: int) -> bool:
    """Whether values go the stated way in the end, and at no step the other; `SAME` allows for rounding."""
    if response == SAME:
        return max(values) - min(values) <= 1e-4 * abs(values[0])
    steps = [response * (after - before) for before, after in pairwise(values)]
    return min(steps) >= 0 and sum(steps) > 0


def main() -> int:
    """Prints one line of JSON; exits 1 where a metric orders a degradation wrongly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=64, help="how many are spoilt")
    parser.add_argument("--frames", type=int, help="of each (default 8; 16 with --i3d)")
    parser.add_argument("--i3d", help="TorchScript of I3D: adds fvd")
    parser.add_argument("--inception", help="TorchScript of Inception: adds fid")
    options = parser.parse_args()
    bucket = Bucket(options.frames or (16 if options.i3d else 8), *SIZE)
    scenes = held_out_scenes(2 * options.videos, (), bucket, FPS)
    with tempfile.TemporaryDirectory() as folder:
        metrics = at_hand(Path(folder), bucket.num_frames)
        metrics += [FrechetVideoDistance(options.i3d)] if options.i3d else []
        metrics += [FrechetInceptionDistance(options.inception)] if options.inception else []
        found = ladder(metrics, scenes[: options.videos])
    others_real = [spoilt(some, "noise", 0) for some in (scenes[: options.videos], scenes[options.videos :])]
    apart = measured([metric for metric in metrics if metric.needs_real], *others_real)
    wrong = [
        f"{name} under {way}"
        for name, ways in found.items()
        for way, values in ways.items()
        if not is_ordered(values, RESPONSES[name][way])
    ]
    figures: dict[str, Any] = {
        name: {way: [float(f"{v:.4g}") for v in values] for way, values in of.items()} for name, of in found.items()
    }
    figures["apart"] = {name: float(f"{value:.4g}") for name, value in apart.items()}
    told = {"name": "metric_ladder", "videos": options.videos, "figures": figures, "wrong": wrong}
    print(json.dumps(told | {"floors": {"wrong": 0}, "ok": not wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
