"""What the demo model has learnt: sampled videos of held-out captions, against their captions.

    make train RECIPE=demo-long STAGE=all && make bench NAME=demo_videos ARGS="--recipe demo-long"

Captions of rendered scenes that no training sample has are sampled from the last finished stage, each with its own
fixed seed. Two figures: how much more a video resembles its own caption than the others', by the demo CLIP (mean of its
frames); and of the videos whose caption says that a thing moves, how many show it go within 45 degrees of there,
against the directions of the other captions (`chance`). The same of the real videos of these scenes says what could be
reached, and that the measure is right. Videos stay in the run's folder, so a second call only measures. The packed
`val` split would hold only 17 captions, most of them of several things; what is rendered can be as many as it takes.

Other keys of the configuration go to the sampling: `--model.guidance.init_args.scale 5`, with an `--out` of its own.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from PIL import Image

from benchmarks.held_out_scenes import HeldOut, held_out_scenes
from benchmarks.video_figures import caption_margin, right_way
from curation.demo import clip_model
from shards.reader import ShardSet
from training.captions import Wanted
from training.clips import texts_of
from training.config import Stage, build_stage
from training.generate import Sampling, sample
from training.pictures import read_mp4
from training.recipe import CONFIGS, Recipe
from training.run import Run, last_finished, weights_of

MARGIN_FLOOR = 0.4  # of the CLIP similarity, which is 0.9 for a scene's own caption and 0 for another's
REAL_FLOOR = 0.95  # of the share of real videos in which things go where they do


def known_captions(stage: Stage) -> set[str]:
    """Captions of all training samples."""
    sets = [ShardSet(folder / "train") for folder in stage.data.packed_sets()]
    return {text for packed in sets for row in packed.index.select(["captions"]).to_pylist() for text in texts_of(row)}


def sampled_videos(
    run: Run, captions: Sequence[str], seed: int, folder: Path, arguments: list[str]
) -> list[np.ndarray]:
    """A video of each caption, (T, H, W, 3) uint8; the n-th starts from the noise of `seed` + n."""
    wanted = [Wanted(caption, seed + number) for number, caption in enumerate(captions)]
    made: dict[str, Path] = {}
    for each in sample(run, wanted, folder, arguments, Sampling(batch=8)):
        made[each.caption] = each.video
        print(f"{len(made)} of {len(wanted)}: {each.video.name}", flush=True)
    return [read_mp4(made[caption]) for caption in captions]


@torch.inference_mode()
def similarities(videos: Sequence[np.ndarray], captions: Sequence[str]) -> np.ndarray:
    """Cosine of each video (the mean of its frames' unit embeddings) and each caption: (N, N) float32."""
    model, preprocess = clip_model.load()
    resize = clip_model.resizing(preprocess)
    model.eval()
    pictures = [np.stack([np.asarray(resize(Image.fromarray(frame))) for frame in video]) for video in videos]
    of_videos = [model.encode_image(clip_model.as_input(each, preprocess), normalize=True).mean(0) for each in pictures]
    of_captions = model.encode_text(clip_model.tokenize(list(captions)), normalize=True)
    return (torch.stack(of_videos) @ of_captions.T).numpy()


def figures(videos: Sequence[np.ndarray], scenes: Sequence[HeldOut]) -> dict[str, Any]:
    """All figures of some videos of these scenes' captions; `alone` are those of one thing."""
    moving = [(video, scene, scene.mover) for video, scene in zip(videos, scenes, strict=True) if scene.mover]
    alone = [each for each in moving if each[1].num_things == 1]
    return {"clip": caption_margin(similarities(videos, [scene.caption for scene in scenes]))} | {
        name: right_way([video for video, _, _ in some], [mover for _, _, mover in some])
        for name, some in (("direction", moving), ("direction_alone", alone))
    }


def main() -> int:
    """Prints one line of JSON; exits 1 where a floor is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--recipe", default="demo", help=f"folder in {CONFIGS}")
    parser.add_argument("--runs", type=Path, help="folder of the runs (default runs/<recipe>)")
    parser.add_argument("--stage", help="a finished stage (default: the last one)")
    parser.add_argument("--videos", type=int, default=128, help="how many captions")
    parser.add_argument("--seed", type=int, default=0, help="of the first video's noise")
    parser.add_argument("--out", type=Path, help="folder of the videos (default: held_out in the run's)")
    options, rest = parser.parse_known_args()
    runs = options.runs or Path("runs") / options.recipe
    run = Run(runs / options.stage) if options.stage else last_finished(Recipe(CONFIGS / options.recipe), runs)
    weights_of(run, "sampling")
    stage = build_stage([run.config], rest)
    scenes = held_out_scenes(options.videos, known_captions(stage), stage.data.bucket, stage.data.sampling_fps)
    captions = [scene.caption for scene in scenes]
    videos = sampled_videos(run, captions, options.seed, options.out or run.folder / "held_out", rest)
    found = {
        "sampled": figures(videos, scenes),
        "real": figures([scene.frames for scene in scenes], scenes),
    }
    sampled, real = found["sampled"], found["real"]
    floors = {
        "sampled.clip.low": (sampled["clip"]["low"], MARGIN_FLOOR),
        "sampled.direction.low": (sampled["direction"]["low"], max(0.25, sampled["direction"]["chance"])),
        "real.direction.share": (real["direction"]["share"], REAL_FLOOR),
    }
    ok = all(value >= floor for value, floor in floors.values())
    told = {name: floor for name, (_, floor) in floors.items()}
    print(json.dumps({"name": "demo_videos", "stage": run.stage, "figures": found, "floors": told, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
