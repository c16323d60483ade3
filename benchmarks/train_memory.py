"""Peak memory of a step with and without checkpointing of activations, and what an average costs of a step.

The sides of memory run in processes of their own (resident peak, less the memory before the step); step and average
are timed in turn in one process. A U-Net of 20 M parameters on the CPU.
"""

import argparse
import json
import multiprocessing
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import Tensor

from training.conditioning import Conditions
from training.denoisers.svd_unet import SvdUnet
from training.ema import Ema

SETTINGS = {
    "block_out_channels": (64, 128, 256),
    "layers_per_block": 1,
    "num_attention_heads": 4,
    "cross_attention_dim": 64,
    "num_micro": 2,
    "addition_time_embed_dim": 32,
}
CEILINGS = {"memory_with_checkpointing_over_without": 0.8, "ema_share_of_step": 0.1}


def one_loss(denoiser: SvdUnet, frames: int, side: int) -> Tensor:
    """Of noise: scalar."""
    conditions = Conditions(torch.randn(1, 8, 64), torch.rand(1, 2))
    return denoiser(torch.randn(1, frames, 4, side, side), torch.zeros(1), conditions).square().mean()


def peak_mb(checkpointing: bool, frames: int, side: int) -> float:
    """Of one forward and backward, over the model and its gradients: MB."""
    torch.set_num_threads(1)
    denoiser = SvdUnet(**SETTINGS, gradient_checkpointing=checkpointing)
    one_loss(denoiser, 2, 8).backward()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one_loss(denoiser, frames, side).backward()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6


def ema_share(frames: int, side: int, rounds: int) -> float:
    """Time of one update of an average over that of a step of AdamW; median of the rounds."""
    torch.set_num_threads(1)
    denoiser = SvdUnet(**SETTINGS)
    optimizer, ema, shares = torch.optim.AdamW(denoiser.parameters()), Ema(denoiser), []
    for _ in range(rounds + 1):
        start = perf_counter()
        optimizer.zero_grad()
        one_loss(denoiser, frames, side).backward()
        optimizer.step()
        stepped = perf_counter()
        ema.update(denoiser)
        shares.append((perf_counter() - stepped) / (stepped - start))
    return median(shares[1:])


def main() -> int:
    """Prints one line of JSON; exits 1 above a ceiling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--side", type=int, default=16, help="of the latents")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    peaks = {}
    for checkpointing in (False, True):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            peaks[checkpointing] = alone.submit(peak_mb, checkpointing, options.frames, options.side).result()
    figures = {
        "peak_mb_without_checkpointing": round(peaks[False]),
        "peak_mb_with_checkpointing": round(peaks[True]),
        "memory_with_checkpointing_over_without": round(peaks[True] / peaks[False], 3),
        "ema_share_of_step": round(ema_share(options.frames, options.side, options.rounds), 4),
    }
    ok = all(figures[name] <= ceiling for name, ceiling in CEILINGS.items())
    print(json.dumps({"name": "train_memory", "figures": figures, "floors": CEILINGS, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
