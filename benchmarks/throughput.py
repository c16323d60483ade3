"""Clips a second of every scorer; OpenCLIP over its bare forward pass; the chain without models over bare decoding.

    make bench NAME=throughput ARGS="<folder, glob or table>"

The chain (split with the cheap look at cuts and with proxy frames, motion, faults of pictures, fingerprints, exact and
perceptual duplicates) takes turns with bare decoding by PyAV with threads on all cores, and the first run of it, which
starts processes and imports, is left out. The scorers then read the corpus that it made, each by itself on one core,
proxy frames decoded for each anew; they are the small offline forms that their tests use, so those with a model tell
what goes on around it. OpenCLIP is given a published architecture with random weights, and is set against the same
model on frames that lie ready; on a GPU that ratio is also the share of time in which the GPU is busy.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/curation")]

import numpy as np
import pyarrow as pa
import torch
from chain import Chain
from PIL import Image
from split import bare

from curation.listing import list_videos
from curation.open_clip_model import load_open_clip
from curation.proxies import ProxyReader
from curation.score import ScoreTask
from curation.score_order import homes, in_waves
from curation.scorer import Frames, Resources, Scorer
from curation.scorers.openclip import OpenClip, spread
from curation.tables import Corpus

LEAST = {"openclip_over_bare_forward": 0.85}
PREFIX = "alone_"  # of the tables that single scorers write, beside those of the chain
MOST = {"chain_over_bare_decoding": 6.0}


def seconds(job: Callable[[], object]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def measure_chain(videos: str, rounds: int, root: Path) -> dict[str, float]:
    """Wall time of the chain over that of bare decoding, whole and by job; the least of several rounds counts."""
    listed, bare_s, chain_s = list_videos(videos), [], []
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        chain = Chain(root, listed, pool)
        chain.run()
        for _ in range(rounds):
            bare_s.append(seconds(lambda: [bare(path) for path in listed["path"].to_pylist()]))
            chain_s.append(seconds(chain.run))
    by_job = {f"{job}_over_bare_decoding": min(taken[1:]) for job, taken in chain.seconds.items()}
    ratios = {"chain_over_bare_decoding": min(chain_s), **by_job}
    return {"bare_decoding_s": round(min(bare_s), 2)} | {n: round(s / min(bare_s), 3) for n, s in ratios.items()}


def found() -> dict[str, Scorer]:
    """The small offline form of every scorer there is, by the name of its file after a prefix."""
    names = sorted(path.stem for path in (ROOT / "curation/scorers").glob("[!_]*.py"))
    return {PREFIX + name: importlib.import_module(f"test_{name}").tiny() for name in names}


def clips_a_second(corpus: Corpus, scorers: dict[str, Scorer]) -> dict[str, float]:
    """Of each scorer, over all parts but the one in which it loads what it needs: that with the fewest clips."""
    sizes = {part: len(corpus.read("clips", part, ["clip_id"])) for part in corpus.parts("clips")}
    first, *rest = sorted((part for part in sizes if sizes[part]), key=lambda part: sizes[part])
    rates = {}
    for name, scorer in ((n, s) for wave in in_waves(scorers) for n, s in wave.items()):
        with closing(ScoreTask(corpus, {name: scorer}, scorer.resources, homes(scorers)).build()) as worker:
            worker.run(first)
            taken = seconds(lambda worker=worker: [worker.run(part) for part in rest])
        rates[name.removeprefix(PREFIX)] = round(sum(sizes[part] for part in rest) / taken, 2)
    return rates


def first_clips(corpus: Corpus, num_clips: int) -> list[Frames]:
    """Proxy frames of the first clips of a corpus, not decoded yet."""
    clips: list[Frames] = []
    for part in corpus.parts("clips"):
        with closing(ProxyReader(corpus.path("proxies", part))) as proxies:
            spans = corpus.read("clips", part, ["video_id", "start_pts", "end_pts"]).to_pylist()
            clips += [proxies.frames(**span) for span in spans[: num_clips - len(clips)]]
    return [clip for clip in clips if clip]


def openclip_over_bare(corpus: Corpus, num_clips: int, model: str, device: str, rounds: int) -> float:
    """Time of the bare forward pass over that of the scorer on the same frames; the least of several rounds counts."""
    import open_clip
    from safetensors.torch import save_file

    with tempfile.TemporaryDirectory() as folder:
        weights = f"{folder}/random.safetensors"
        save_file(open_clip.create_model(model).state_dict(), weights)
        scorer = OpenClip(model=model, pretrained=weights, device=device, resources=Resources(cpus=os.cpu_count() or 1))
        score, bare_model, preprocess = scorer.build(), *load_open_clip(model, weights, device)
    clips = first_clips(corpus, num_clips)
    table = pa.table({"captions": pa.array([[]] * len(clips), pa.list_(pa.string()))})
    pictures = [clip[i][1] for clip in clips for i in spread(len(clip), scorer.num_frames)]
    ready = torch.stack([preprocess(Image.fromarray(picture)) for picture in pictures]).to(device)
    bare_s, scorer_s = [], []
    for _ in range(rounds):
        bare_s.append(seconds(lambda: forward(bare_model, ready, scorer.batch_size)))
        fresh = first_clips(corpus, num_clips)
        scorer_s.append(seconds(lambda fresh=fresh: score(table, fresh)))
    return round(min(bare_s) / min(scorer_s), 3)


def forward(model: Any, ready: torch.Tensor, batch_size: int) -> list[np.ndarray]:
    """Embeddings of prepared pictures and nothing else."""
    with torch.inference_mode():
        return [model.encode_image(batch, normalize=True).float().cpu().numpy() for batch in ready.split(batch_size)]


def main() -> int:
    """Prints one line of JSON; exits 1 beyond a floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="?", default=os.environ.get("RUSHES_MEDIA") or "data/demo/footage/videos")
    parser.add_argument("--rounds", type=int, default=3, help="each side is measured so often, in turn")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--model", help="OpenCLIP's, without weights; ViT-L-14 on a GPU, else ViT-B-32 by default")
    parser.add_argument("--clips", type=int, default=32, help="that OpenCLIP looks at")
    options = parser.parse_args()
    model = options.model or ("ViT-B-32" if options.device == "cpu" else "ViT-L-14")
    with tempfile.TemporaryDirectory() as folder:
        figures: dict[str, Any] = measure_chain(options.videos, options.rounds, Path(folder) / "corpus")
        corpus = Corpus(Path(folder) / "corpus")
        figures["openclip_over_bare_forward"] = openclip_over_bare(
            corpus, options.clips, model, options.device, options.rounds
        )
        figures["clips_a_second"] = clips_a_second(corpus, found())
    ok = all(figures[name] <= most for name, most in MOST.items())
    ok &= all(figures[name] >= least for name, least in LEAST.items())
    print(json.dumps({"name": "throughput", "figures": figures, "floors": {**MOST, **LEAST}, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
