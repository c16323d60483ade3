"""Evaluates a finished stage: references, sampled videos of the same captions, figures, and a page that shows both."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.captions import Wanted
from training.config import build_stage
from training.evaluation.page import write_page
from training.evaluation.references import Reference, write_references
from training.evaluation.settings import SECTION, EvaluationSettings
from training.evaluation.tables import METRICS, METRICS_FILE, VIDEOS, VIDEOS_FILE, figure_rows, in_words, write_rows
from training.generate import Sampling, named, sample
from training.metrics.evaluation import Evaluation
from training.metrics.metric import Videos
from training.pictures import CRF, read_mp4
from training.run import Run
from training.samples import SampleFolder

SAVED = f"sampled and real videos as H.264 at crf {CRF} of that size"


Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Prepared:
    """What is known before a video is sampled."""

    settings: EvaluationSettings
    references: list[Reference]
    fps: float
    device: torch.device


def evaluate(
    run: Run, folder: Path, section: dict[str, Any], arguments: Sequence[str], how: Sampling, say: Callable[[str], None]
) -> Path:
    """Samples and measures; what was sampled before with the same settings is not sampled again.

    Args:
        run: the finished stage.
        folder: for tables, page, `references` and `samples`.
        section: `evaluation` of the recipe; what the arguments say wins.
        arguments: of the command line, over the configuration of the run.
        how: from which weights; the batch is that of the section.
        say: tells a line.

    Returns:
        The page.

    Raises:
        ValueError: something that the user can mend.
    """
    told = [f"--{SECTION}={json.dumps(section)}"] if section else []
    prepared = _prepare(run, folder, [*told, *arguments])
    settings, references = prepared.settings, prepared.references
    wanted = [
        Wanted(reference.caption, settings.seed + number, f"sample {reference.key}", reference.given)
        for number, reference in enumerate(references)
    ]
    sampled = SampleFolder(folder / "samples")
    for _ in sample(run, wanted, sampled.folder, list(arguments), replace(how, batch=settings.batch)):
        pass
    rows = sampled.rows()
    metrics, videos = _tables(run, folder, prepared, [rows[named(each, how, run)["video"]] for each in wanted])
    write_rows(folder / METRICS_FILE, metrics, METRICS)
    write_rows(folder / VIDEOS_FILE, videos, VIDEOS)
    for row in metrics:
        say(in_words(row))
    return write_page(folder, run, metrics, videos)


def _prepare(run: Run, folder: Path, arguments: list[str]) -> Prepared:
    """Builds the stage for its data and settings alone; it is gone before another one is built to sample from."""
    stage = build_stage([run.config], arguments)
    settings = stage.evaluation
    if not settings.metrics:
        raise ValueError(f"no metrics: name some as `{SECTION}.metrics` in the recipe's base.yaml")
    references = write_references(stage, folder / "references", settings.num_videos)
    device = stage.trainer(logger=False).strategy.root_device
    return Prepared(settings, references, stage.data.sampling_fps, device)


def _tables(run: Run, folder: Path, prepared: Prepared, chosen: Rows) -> tuple[Rows, Rows]:
    """Rows of `METRICS`, and of `VIDEOS`, by those of the videos that were sampled."""
    evaluation = _measure(prepared, [folder / "samples" / row["video"] for row in chosen])
    figures = [replace(figure, protocol=f"{figure.protocol}; {SAVED}") for figure in evaluation.figures()]
    told = {"stage": run.stage, "model_sha256": chosen[0]["weights_sha256"]}
    return figure_rows(told, figures), _video_rows(folder, prepared, chosen, evaluation)


def _measure(prepared: Prepared, videos: Sequence[Path]) -> Evaluation:
    evaluation = Evaluation(prepared.settings.metrics, prepared.device)
    captions = [reference.caption for reference in prepared.references]
    originals = [reference.video for reference in prepared.references]
    for is_real, paths in ((False, videos), (True, originals)):
        for numbers in _batches(len(paths), prepared.settings.batch):
            frames = np.stack([read_mp4(paths[n]) for n in numbers])
            told = Videos(torch.from_numpy(frames), [captions[n] for n in numbers], prepared.fps)
            evaluation.add(numbers, told, is_real)
    return evaluation


def _batches(number: int, size: int) -> Iterator[list[int]]:
    for first in range(0, number, size):
        yield list(range(first, min(first + size, number)))


def _video_rows(folder: Path, prepared: Prepared, chosen: Rows, evaluation: Evaluation) -> list[dict[str, Any]]:
    values = {metric.name: evaluation.of_videos(metric.name) for metric in prepared.settings.metrics}
    return [
        {
            "number": number,
            "caption": row["caption"],
            "seed": row["seed"],
            "video": f"samples/{row['video']}",
            "key": reference.key,
            "reference": str(reference.video.relative_to(folder)),
            "values": {name: each[number] for name, each in values.items() if number in each},
        }
        for number, (row, reference) in enumerate(zip(chosen, prepared.references, strict=True))
    ]
