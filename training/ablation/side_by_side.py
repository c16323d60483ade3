"""Runs trials side by side on Ray: one a core, or one a GPU where there are any; on a cluster as on a laptop."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from training.ablation.trial import Trial, run_trial


def run_all(trials: Sequence[Trial], engine: str, say: Callable[[str], None]) -> dict[str, str]:
    """Runs trials; those that fail are told and stop no other.

    Args:
        trials: in the order in which they begin.
        engine: `ray`, or `local`: one after the other in this process.
        say: tells a line.

    Returns:
        Why trials failed, by the name of their folder.
    """
    failed: dict[str, str] = {}
    finished = _on_ray(trials) if engine == "ray" else _here(trials)
    for done, (trial, error) in enumerate(finished, 1):
        if error:
            failed[trial.folder.name] = error
        say(f"{'✗' if error else '✓'} {trial.folder.name} ({done} of {len(trials)}){': ' + error if error else ''}")
    return failed


def _here(trials: Sequence[Trial]) -> Iterator[tuple[Trial, str]]:
    for trial in trials:
        yield trial, run_trial(trial)


def _on_ray(trials: Sequence[Trial]) -> Iterator[tuple[Trial, str]]:
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    where = os.environ.get("RAY_ADDRESS") or "local"  # else Ray would join what was last started on this machine
    ray.init(where, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        has_gpus = ray.cluster_resources().get("GPU", 0) >= 1
        # a trial that dies is told, and tried again by the next call: most likely it would die of the same
        task = ray.remote(num_cpus=1, num_gpus=1 if has_gpus else 0, max_retries=0)(run_trial)
        running: dict[Any, Trial] = {task.remote(trial): trial for trial in trials}
        while running:
            (ready, *_), _ = ray.wait(list(running), num_returns=1)
            yield running.pop(ready), _result(ray, ready)
    finally:
        ray.shutdown()


def _result(ray: Any, ready: Any) -> str:
    try:
        return ray.get(ready)
    except ray.exceptions.RayError as error:
        return f"its process died: {str(error).strip().splitlines()[-1]}"
