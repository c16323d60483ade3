"""How `dedup` grows: time and recall over synthetic embeddings and frame hashes. `make bench NAME=dedup`.

Processor time for ten times as many clips, over that for a tenth, against what n log n would take; and the share of
planted duplicates that are found. A tenth of the clips are copies of others. Embeddings lie around topics, 200 clips
each, and a copy's has a cosine of 0.985 to 0.999 with its original's; a copy's frame hashes differ in 2 to 12 % of
their bits, and it is cut elsewhere. All clips count, so what is merged without being planted shows as a false one.
"""

import argparse
import json
import math
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from curation.duplicates.config import PerceptualConfig, SemanticConfig
from curation.duplicates.perceptual import Fingerprints, perceptual_stars
from curation.duplicates.semantic import semantic_stars
from curation.duplicates.stars import Stars

GROWTH_CEILING = 2.0  # of the time for ten times as many, over n log n, caches grown too small; n^1.5 has 2.6
RECALL_FLOOR = 0.97
FALSE_CEILING = 1e-4  # of clips that are no copies and were joined to another
COPIES = 0.1
TOPIC_CLIPS = 200
FRAMES = 8  # of a clip; its copy shows the last six, and two more
EPSILON = 0.02


def semantic(number: int, width: int) -> tuple[Callable[[], Stars], int]:
    """A search over so many embeddings, and how many of them are originals: they come first, then the copies."""
    rng, copies = np.random.default_rng(0), round(COPIES * number)
    topics = unit(rng.standard_normal((max(1, number // TOPIC_CLIPS), width), np.float32))
    originals = number - copies
    vectors = np.empty((number, width), np.float16)
    vectors[:originals] = aside(rng, topics[rng.integers(len(topics), size=originals)], 0.75)
    vectors[originals:] = aside(rng, vectors[:copies].astype(np.float32), rng.uniform(0.985, 0.999, (copies, 1)))
    return lambda: semantic_stars(vectors, SemanticConfig(epsilon=EPSILON)), originals


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def aside(rng: np.random.Generator, vectors: np.ndarray, cosine: float | np.ndarray) -> np.ndarray:
    """Unit vectors at this cosine."""
    other = rng.standard_normal(vectors.shape, np.float32)
    other = unit(other - (other * vectors).sum(1, keepdims=True) * vectors)
    return cosine * vectors + np.sqrt(1 - np.square(cosine)) * other


def perceptual(number: int, _: int) -> tuple[Callable[[], Stars], int]:
    """The same over frame hashes."""
    rng, copies = np.random.default_rng(0), round(COPIES * number)
    originals = number - copies
    hashes = rng.integers(0, 2**64, (number, FRAMES, 2), dtype=np.uint64)
    hashes[originals:, :6] = hashes[:copies, 2:]
    shares = rng.uniform(0.02, 0.12, (copies, 1))
    for word in range(2):
        for bit in range(64):
            flips = rng.random((copies, FRAMES)) < shares
            hashes[originals:, :, word] ^= flips.astype(np.uint64) << np.uint64(bit)
    times = np.tile(0.5 * np.arange(FRAMES, dtype=np.float32), number)
    clips = Fingerprints(hashes.reshape(-1, 2), times, FRAMES * np.arange(number + 1))
    return lambda: perceptual_stars(clips, PerceptualConfig()), originals


def measure(make: Callable[[int, int], tuple[Callable[[], Stars], int]], number: int, width: int) -> dict[str, float]:
    """Processor seconds, share of copies found, and share of the others that were joined to any."""
    search, originals = make(number, width)
    start = time.process_time()
    best = search().best
    seconds = time.process_time() - start
    found = float(np.mean(best[originals:] == np.arange(number - originals)))
    return {"seconds": seconds, "recall": found, "false": float(np.mean(best[:originals] != np.arange(originals)))}


def main() -> int:
    """Prints one line of JSON; exits 1 below a floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1_000_000, help="the larger number; the smaller is a tenth of it")
    parser.add_argument("--width", type=int, default=64, help="length of an embedding")
    options = parser.parse_args()
    many, few = options.clips, options.clips // 10
    figures: dict[str, float] = {}
    ok = True
    for make in (semantic, perceptual):
        small, large = (measure(make, number, options.width) for number in (few, many))
        growth = large["seconds"] / small["seconds"] / (many * math.log(many) / (few * math.log(few)))
        ok &= growth <= GROWTH_CEILING and large["recall"] >= RECALL_FLOOR and large["false"] <= FALSE_CEILING
        told = {"growth_over_n_log_n": growth, "recall": large["recall"], "false": large["false"]}
        told |= {f"microseconds_a_clip_of_{many}": 1e6 * large["seconds"] / many}
        figures |= {f"{make.__name__}_{name}": round(value, 5) for name, value in told.items()}
    figures["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    floors = {"growth_over_n_log_n": GROWTH_CEILING, "recall": RECALL_FLOOR, "false": FALSE_CEILING}
    print(json.dumps({"name": "dedup", "figures": figures, "floors": floors, "ok": bool(ok)}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
