"""What trials came to: the values of every metric by arm and seed, and of every video."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import yaml

from shards.schema import field as column
from training.ablation.compare import Comparison, compare
from training.ablation.trial import Trial
from training.ablation.votes import Round
from training.evaluation.tables import METRICS, METRICS_FILE, VIDEOS, VIDEOS_FILE, read_rows

HELD_OUT = "held_out_loss"
VALUES = pa.schema(
    [
        column("arm", pa.string(), "the selection that was trained on"),
        column("seed", pa.int64(), "of its training"),
        *[METRICS.field(name) for name in METRICS.names if name not in ("stage", "model_sha256", "num_real")],
        column(
            "num_real", pa.int32(), "reference videos; of the held-out loss its samples; null where that is unknown"
        ),
    ]
)


@dataclass
class Metric:
    """One metric over all trials."""

    name: str
    better: str
    protocol: str
    values: dict[str, dict[int, float | None]] = field(default_factory=dict)
    """By arm and seed; None where it could not be measured."""
    videos: dict[str, dict[Round, float]] = field(default_factory=dict)
    """By arm and round, where each video has a value of its own."""
    network: str = ""
    """SHA-256 of its network's weights; empty where it has none, or no trial tells."""

    def comparisons(self) -> list[Comparison]:
        """Arms, and what sets them apart from the raw set."""
        return compare(self.values)


def collect(trials: Sequence[Trial], failed: Collection[str] = ()) -> tuple[dict[str, Metric], list[dict[str, Any]]]:
    """Metrics by name, and all values as rows of `VALUES`, of the trials that are done.

    Args:
        trials: all that were planned; of the others each metric has None.
        failed: folders of those whose tables, if there are any, are of an earlier ablation.

    Raises:
        ValueError: a table of an evaluation is damaged.
    """
    metrics: dict[str, Metric] = {}
    rows: list[dict[str, Any]] = []
    for trial in trials:
        if trial.folder.name in failed or not trial.judged.exists():
            continue
        figures = [_held_out(trial), *read_rows(trial.evaluation / METRICS_FILE, METRICS)]
        for figure in figures:
            metric = metrics.setdefault(figure["name"], Metric(figure["name"], figure["better"], figure["protocol"]))
            _check_alike(metric, figure, trial)
            metric.values.setdefault(trial.arm.name, {})[trial.seed] = figure["value"]
            rows.append({"arm": trial.arm.name, "seed": trial.seed} | {k: figure[k] for k in VALUES.names[2:]})
        for video in read_rows(trial.evaluation / VIDEOS_FILE, VIDEOS):
            place = Round(video["caption"], video["seed"], trial.seed)
            for name, value in video["values"].items():
                metrics[name].videos.setdefault(trial.arm.name, {})[place] = value
    for metric in metrics.values():
        for trial in trials:
            metric.values.setdefault(trial.arm.name, {}).setdefault(trial.seed, None)
    return metrics, rows


def _held_out(trial: Trial) -> dict[str, Any]:
    """The last held-out loss as a figure."""
    measured: Sequence[Mapping[str, float]] = (trial.run.record or {}).get("held_out_loss") or []
    last = measured[-1] if measured else {}
    judged_on = yaml.safe_load(trial.run.config.read_text(encoding="utf-8"))["data"]["set"]
    return {
        "name": HELD_OUT,
        "value": last.get("loss"),
        "low": None,
        "high": None,
        "better": "lower",
        "protocol": f"loss of the averaged weights on held-out samples of {judged_on}, fixed noise levels",
        "num_fake": 0,
        "num_real": last.get("num_held_out") if measured else 0,
        "network_sha256": "",
        "caution": "",
        "missing": "" if measured else "no sample is held out",
    }


def _check_alike(metric: Metric, figure: Mapping[str, Any], trial: Trial) -> None:
    """Refuses what was measured in another way than before, or by other weights under one name."""
    network = "" if figure["value"] is None else figure["network_sha256"] or ""
    metric.network = metric.network or network
    for before, now, way in (
        (metric.protocol, figure["protocol"], "in another way than"),
        (metric.network, network or metric.network, "with other weights of its network than"),
    ):
        if before != now:
            place = trial.folder.parent / "*" / trial.evaluation.name / METRICS_FILE
            raise ValueError(
                f"{trial.folder.name} measured {metric.name} {way} the trials before it ({now}, not {before}): remove "
                f"{place} of the older ones, and run this again"
            )
