"""An average of a length that was not tracked, from those that were (EDM2, arXiv 2312.02696, section 3.2).

Each stored average is a weighting of the steps up to its time. The weighting that is wanted is approached by a sum of
those, with the least squared error; the same sum of the averages is the average.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from training.power_ema import PowerEma, gamma
from training.run import Run, file_hash
from training.weights_file import save_weights


def inner_product(time_a: np.ndarray, gamma_a: np.ndarray, time_b: np.ndarray, gamma_b: np.ndarray) -> np.ndarray:
    """Of two profiles, each (gamma + 1) t^gamma / time^(gamma + 1) up to its time (appendix C).

    Args:
        time_a: above 0, broadcasts with the others; any unit, the same everywhere.
        gamma_a: at least 0.
        time_b: likewise.
        gamma_b: likewise.
    """
    exponent = np.where(time_a < time_b, gamma_b, -gamma_a)
    longer = np.maximum(time_a, time_b)
    return (gamma_a + 1) * (gamma_b + 1) * (time_a / time_b) ** exponent / ((gamma_a + gamma_b + 1) * longer)


def coefficients(times: Sequence[float], gammas: Sequence[float], time: float, wanted: float) -> np.ndarray:
    """Factors of the stored profiles whose sum comes closest to the wanted one: (N,) float64 (appendix C).

    Args:
        times: N times of storing, above 0.
        gammas: N exponents, at least 0; no pair of time and exponent twice.
        time: at which the wanted average would stand.
        wanted: its exponent.
    """
    at, exponents = np.asarray(times, float), np.asarray(gammas, float)
    products = inner_product(at[:, None], exponents[:, None], at[None], exponents[None])  # (N, N)
    target = inner_product(at, exponents, np.asarray(float(time)), np.asarray(wanted))  # (N,)
    return np.linalg.solve(products, target)


@dataclass(frozen=True)
class Snapshot:
    """An average as it was stored: a safetensors file, and what its header tells."""

    path: Path
    num_updates: int
    sigma_rel: float


def write_snapshot(folder: Path, average: dict[str, Tensor], ema: PowerEma) -> None:
    """Stores an average as float32 (frozen weights and buffers as they are); one of the same time is replaced."""
    folder.mkdir(exist_ok=True)
    told = {"num_updates": str(ema.num_updates), "sigma_rel": str(ema.length)}
    save_weights(folder / f"{ema.num_updates:09d}-{ema.length}.safetensors", average, told)


def read_snapshots(folder: Path) -> list[Snapshot]:
    """All that are stored, in the order of time.

    Raises:
        ValueError: one is damaged; names it.
    """
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as file:
                told = file.metadata()
            found.append(Snapshot(path, int(told["num_updates"]), float(told["sigma_rel"])))
        except Exception as error:  # safetensors has errors of its own
            raise ValueError(f"{path} is damaged ({error}): remove it, and fewer averages are summed") from error
    return found


def synthesise(run: Run, sigma_rel: float) -> Path:
    """Writes the average of that length as it would stand at the end of a finished stage, and notes it in the record.

    Args:
        run: a finished stage that kept snapshots.
        sigma_rel: length, as `model.ema_sigma_rel` takes it.

    Returns:
        `ema-<sigma_rel>.safetensors`, for `sample --ema <sigma_rel>`.

    Raises:
        ValueError: nothing was stored, or no such length exists.
    """
    wanted, snapshots, path = gamma(sigma_rel), read_snapshots(run.snapshots), run.averaged(str(sigma_rel))
    record = run.record or {}
    if not record.get("finished") or not snapshots:
        raise ValueError(
            f"stage {run.stage} is not finished, or {run.snapshots} holds no averages: train it with "
            "model.ema_sigma_rel and watch.ema_snapshots_every"
        )
    if path.name in record["weights"]:
        raise ValueError(f"{path} is there already: sample with --ema {sigma_rel}")
    times, gammas = [each.num_updates for each in snapshots], [gamma(each.sigma_rel) for each in snapshots]
    weights = combine([each.path for each in snapshots], coefficients(times, gammas, max(times), wanted))
    save_weights(path, weights)
    run.write_record(record | {"weights": record["weights"] | {path.name: file_hash(path)}})
    return path


def combine(paths: Sequence[Path], factors: np.ndarray) -> dict[str, Tensor]:
    """Sum of stored tensors, in float64; what is the same in all, or no number of floating point, is the last one's."""
    with ExitStack() as stack:
        files = [stack.enter_context(safe_open(path, "pt")) for path in paths]
        return {name: _combine([file.get_tensor(name) for file in files], factors) for name in files[-1].keys()}  # noqa: SIM118


def _combine(values: Sequence[Tensor], factors: np.ndarray) -> Tensor:
    last = values[-1]
    if not last.is_floating_point() or all(torch.equal(value, last) for value in values):
        return last
    total = torch.zeros_like(last, dtype=torch.float64)
    for value, factor in zip(values, factors.tolist(), strict=True):
        total.add_(value, alpha=factor)
    return total.to(last.dtype)
