"""What an evaluation leaves: figures with all that it takes to read them, and the value of each video."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from shards.schema import conform, field, from_rows
from shards.store import parquet_file, write_table
from training.metrics.metric import Figure

METRICS_FILE, VIDEOS_FILE = "metrics.parquet", "videos.parquet"
METRICS = pa.schema(
    [
        field("stage", pa.string(), "that was evaluated"),
        field("model_sha256", pa.string(), "SHA-256 of its weights"),
        field("name", pa.string(), "of the metric"),
        field("value", pa.float64(), "null where it is missing"),
        field("low", pa.float64(), "lower end of the 95 % interval over videos; null where there is none"),
        field("high", pa.float64(), "upper end"),
        field("better", pa.string(), "which values are better: higher, lower or neither"),
        field("protocol", pa.string(), "every choice that changes the number"),
        field("num_fake", pa.int32(), "sampled videos", "videos"),
        field("num_real", pa.int32(), "reference videos; 0 where the metric needs none", "videos"),
        field("network_sha256", pa.string(), "SHA-256 of the metric's own network; empty without one"),
        field("caution", pa.string(), "what to know before comparing it"),
        field("missing", pa.string(), "why there is no value; empty where there is one"),
    ]
)
ON_THE_WAY = pa.schema(
    [
        field("samples", pa.int64(), "that the stage had seen", "samples"),
        *(METRICS.field(name) for name in METRICS.names if name != "model_sha256"),
    ]
)
VIDEOS = pa.schema(
    [
        field("number", pa.int32(), "of the video in the evaluation; its seed is that of the evaluation + number"),
        field("caption", pa.string(), "what it was to show"),
        field("seed", pa.int64(), "of its noise"),
        field("video", pa.string(), "mp4, from the folder of the evaluation on"),
        field("key", pa.string(), "sample that the caption is of"),
        field("reference", pa.string(), "mp4 of that sample, from the folder of the evaluation on"),
        field("values", pa.map_(pa.string(), pa.float64()), "metric -> value, of metrics that have one a video"),
    ]
)


def figure_rows(told: Mapping[str, Any], figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Figures as rows of `METRICS` or `ON_THE_WAY`.

    Args:
        told: the stage, and its weights or the samples that it had seen.
        figures: one a row.
    """
    rows = [{**told, **asdict(figure)} for figure in figures]
    for row in rows:
        row["network_sha256"] = row.pop("weights_hash")
    return rows


def in_words(row: Mapping[str, Any]) -> str:
    """A figure as a line."""
    if row["missing"]:
        return f"{row['name']}: no value: {row['missing']}"
    interval = f" [{row['low']:.4g}, {row['high']:.4g}]" if row["low"] is not None else ""
    caution = f" ({row['caution']})" if row["caution"] else ""
    return f"{row['name']}: {row['value']:.4g}{interval}{caution}"


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Writes one of the tables, whole or not at all."""
    write_table(path, from_rows([dict(row) for row in rows], schema), schema)


def read_rows(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """Rows of one of the tables; a map comes back as a dictionary.

    Raises:
        ValueError: the file is damaged, or of another kind.
    """
    try:
        with parquet_file(path) as file:
            rows = conform(file.read(), schema).to_pylist(maps_as_pydicts="strict")
    except (ValueError, OSError) as error:  # pyarrow's are both
        raise ValueError(f"{path} cannot be read ({error}): remove it, and evaluate again") from error
    return rows
