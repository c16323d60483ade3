"""A run is what training a stage left behind: its folder, its weights, and the record of where they came from."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from shards.store import read_json, write_json
from training.recipe import Recipe

LIBRARIES = ("torch", "lightning", "diffusers", "open_clip_torch")


@dataclass(frozen=True)
class Run:
    """The folder of one stage's training."""

    folder: Path

    @property
    def stage(self) -> str:
        """Name of the stage."""
        return self.folder.name

    @property
    def config(self) -> Path:
        """The whole configuration, as `--config` takes it."""
        return self.folder / "config.yaml"

    @property
    def checkpoint(self) -> Path:
        """What training goes on from; gone once the stage is finished."""
        return self.folder / "last.ckpt"

    @property
    def checkpoints(self) -> list[Path]:
        """Those that are there, the newest first; see `watch.keep_checkpoints`."""
        older = sorted(self.folder.glob("last-*.ckpt"), key=lambda path: int(path.stem.removeprefix("last-")))
        return [path for path in (self.checkpoint, *older) if path.exists()]

    @property
    def ema_weights(self) -> Path:
        """The averaged weights: what the next stage and sampling take."""
        return self.folder / "ema.safetensors"

    def averaged(self, length: str) -> Path:
        """Weights of another average: its decay, or its relative width, as YAML tells it."""
        return self.folder / f"ema-{length}.safetensors"

    @property
    def snapshots(self) -> Path:
        """Averages as they were on the way."""
        return self.folder / "snapshots"

    @property
    def raw_weights(self) -> Path:
        """The weights of the last step."""
        return self.folder / "raw.safetensors"

    @property
    def record(self) -> dict[str, Any] | None:
        """What `stage.json` says, if the stage was begun."""
        path = self.folder / "stage.json"
        return read_json(path) if path.exists() else None

    @property
    def is_finished(self) -> bool:
        """Whether the stage ran to its end."""
        return bool((self.record or {}).get("finished"))

    @property
    def num_given(self) -> int:
        """Frames of a video that the stage's model is given: 0 in text to video."""
        frames = (self.record or {}).get("made_from", {}).get("model.conditioning.given.frames")
        return {"first": 1, "ends": 2}.get(str(frames), 0)

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Writes `stage.json`."""
        write_json(self.folder / "stage.json", dict(record))

    def move_aside(self) -> Path:
        """Renames the folder to the next free `aside/<stage>-<n>`; gives back where it is now."""
        aside = self.folder.parent / "aside"
        aside.mkdir(exist_ok=True)
        target = next(path for path in _numbered(aside / self.stage) if not path.exists())
        os.rename(self.folder, target)
        return target


def _numbered(path: Path) -> Iterator[Path]:
    return (path.with_name(f"{path.name}-{number}") for number in range(1, 10**6))


def weights_of(run: Run, needed_by: str) -> Path:
    """The EMA weights of a finished stage.

    Args:
        run: the stage.
        needed_by: what they are for, for messages.

    Raises:
        ValueError: the stage has not run, or not to its end; its weights are not those that it wrote; one of the
            stages that it came from was trained anew since.
    """
    record = run.record
    if record is None or not run.is_finished:
        state = "has not run" if record is None else "is not finished"
        raise ValueError(
            f"{needed_by} starts from stage {run.stage}, which {state} in {run.folder.parent}: "
            f"make train STAGE={run.stage}"
        )
    if not run.ema_weights.exists():
        raise ValueError(f"{run.ema_weights} is missing: bring it back, or train it again: FORCE=1 STAGE={run.stage}")
    if file_hash(run.ema_weights) != record["weights"][run.ema_weights.name]:
        raise ValueError(
            f"{run.ema_weights} is not what stage {run.stage} wrote: bring that back, or FORCE=1 STAGE={run.stage}"
        )
    _check_ancestor(run, record["made_from"])
    return run.ema_weights


def _check_ancestor(run: Run, made_from: Mapping[str, Any]) -> None:
    """Sees that the stage before, if it is still there, is the one that this one came from."""
    before = Run(run.folder.parent / str(made_from.get("init_from")))
    record = before.record
    if made_from.get("init_from") is None or record is None:
        return
    if not before.is_finished or record["weights"][before.ema_weights.name] != made_from["init_weights"]:
        raise ValueError(
            f"stage {before.stage} was trained anew after stage {run.stage} had started from it; train this one anew "
            f"too: FORCE=1 STAGE={run.stage}"
        )
    _check_ancestor(before, record["made_from"])


def last_finished(recipe: Recipe, runs: Path, num_given: int = 0) -> Run:
    """The last stage of the recipe that has run to its end and samples from so many given frames.

    Raises:
        ValueError: none has.
    """
    finished = [run for stage in recipe.stages if (run := Run(runs / stage)).is_finished]
    if not finished:
        raise ValueError(
            f"no stage is finished in {runs}: make train STAGE={recipe.stages[0]}, with RECIPE= and OUT= as here"
        )
    suited = [run for run in finished if run.num_given == num_given]
    if not suited:
        told = ", ".join(f"{run.stage} ({run.num_given})" for run in finished)
        raise ValueError(
            f"no finished stage in {runs} takes {num_given} given frames; finished are: {told}. Name one of "
            "them with STAGE= (and a picture with IMAGE= to sample where it takes 1), or train another"
        )
    return suited[-1]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(path: Path | None) -> str | None:
    """SHA-256 over a file, or over all files of a folder by name; None for None."""
    if path is None or path.is_file():
        return file_hash(path) if path else None
    lines = [f"{file.relative_to(path)} {file_hash(file)}" for file in sorted(path.rglob("*")) if file.is_file()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of the libraries that decide the numbers."""
    return {name: version(name) for name in LIBRARIES}


def check_same(run: Run, made_from: Mapping[str, Any]) -> None:
    """Sees that a stage that was begun was begun with these settings, data and weights.

    Args:
        run: its folder.
        made_from: everything that decides the weights, flat: key to JSON value.

    Raises:
        ValueError: something differs; names each key with both values.
    """
    record = run.record
    if record is None:
        return
    before = record["made_from"]
    keys = [key for key in sorted({*before, *made_from}) if before.get(key) != made_from.get(key)]
    if keys:
        lines = [f"  {key}: {before.get(key)!r} -> {made_from.get(key)!r}" for key in keys]
        raise ValueError(
            f"{run.folder} was begun with something else:\n" + "\n".join(lines) + f"\nGo back to that, or start "
            f"stage {run.stage} anew with FORCE=1 (the old run is moved aside)"
        )
