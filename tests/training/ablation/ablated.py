"""An ablation's folder with tiny videos, as its trials leave them."""

import numpy as np

from shards.store import write_json
from training.ablation.arms import Arm
from training.ablation.matches import SAMPLES as PLACE
from training.pictures import write_mp4
from training.samples import SAMPLES, SampleFolder

CAPTIONS = ("a red circle", "a <b>blue</b> star & 'more'")


def row(name, caption, seed, **other):
    """A row of `SAMPLES`."""
    values = {field.name: 1 if str(field.type).startswith(("int", "double")) else field.name for field in SAMPLES}
    files = {"video": f"{name}.mp4", "animation": f"{name}.gif", "sheet": f"{name}.png"}
    return values | {"images_sha256": [], "caption": caption, "seed": seed} | files | other


def put_trial(out, arm, seed, captions=CAPTIONS, level=0, **other):
    """One trial's samples: a video of one gray level for each caption."""
    samples = SampleFolder(out / f"{arm}-{seed}" / PLACE)
    other = {"weights_sha256": f"of {arm}-{seed}", **other}
    samples.announce([row(f"v{i}", caption, i, **other) for i, caption in enumerate(captions)])
    for i in range(len(captions)):
        write_mp4(samples.folder / f"v{i}.mp4", np.full((4, 32, 48, 3), level, np.uint8), 8)
    return samples


def put_ablation(out, arms=("raw", "full", "motion_25"), seeds=(0, 1)):
    """Trials of several arms; each arm has a gray level of its own."""
    for number, arm in enumerate(arms):
        for seed in seeds:
            put_trial(out, arm, seed, level=40 + 60 * number)
    return out


def told_arm(root, name, kept):
    """An arm whose verdicts keep so many clips."""
    write_json(root / name / "rules.json", {"rules": [], "duplicates": "best", "counts": {"clips": 10, "kept": kept}})
    return Arm(name, root / name)
