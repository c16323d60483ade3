"""How a stage is evaluated: the section `evaluation` of its YAML. It changes no weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from training.metrics.metric import Metric

SECTION = "evaluation"


@dataclass(frozen=True)
class EvaluationSettings:
    """What is sampled, and what is measured of it."""

    metrics: list[Metric] = field(default_factory=list)
    """Each with a name of its own."""
    num_videos: int = 64
    """References, and as many sampled videos: the first held-out samples, in a fixed order, with their captions."""
    batch: int = 8
    """Videos sampled or measured at once."""
    seed: int = 0
    """Video n (from 0) is sampled from the noise of `seed` + n."""
    every: int = 0
    """Samples between evaluations on the way, and at the end; 0: `make evaluate` alone, of the finished stage."""

    def __post_init__(self) -> None:
        for name in ("num_videos", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{SECTION}.{name} is at least 1, not {getattr(self, name)}")
        if self.every < 0:
            raise ValueError(f"{SECTION}.every is a number of samples, at least 0, not {self.every}")
        if self.every and not self.metrics:
            raise ValueError(f"{SECTION}.every is {self.every}, but {SECTION}.metrics names nothing to measure")
        names = [metric.name for metric in self.metrics]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"several metrics are called {', '.join(twice)}: give each a `name` of its own")


def evaluation_section(files: Sequence[Path]) -> dict[str, Any]:
    """The section of a recipe as it is now, which a run trained earlier may not know; the later file wins key by key.

    Args:
        files: YAML of a stage.

    Raises:
        ValueError: a file is no valid YAML, or it or its section is no mapping.
    """
    merged: dict[str, Any] = {}
    for file in files:
        try:
            told = _mapping(yaml.safe_load(file.read_text(encoding="utf-8")), str(file))
        except yaml.YAMLError as error:
            raise ValueError(f"{file} is no valid YAML: {error}") from error
        merged |= _mapping(told.get(SECTION), f"{file}: `{SECTION}`")
    return merged


def _mapping(told: Any, where: str) -> dict[str, Any]:
    """What YAML holds; empty where it says nothing."""
    if not isinstance(told, dict | None):
        raise ValueError(f"{where} is no mapping of keys to values")
    return told or {}
