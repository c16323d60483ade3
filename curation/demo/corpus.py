"""Renders the demo corpus: videos with planted faults, the captions a user would bring, and the ground truth.

<out>/videos/          the footage
<out>/captions.parquet captions, as a user would bring them
<out>/truth/           videos, scenes, cuts, faults
<out>/corpus.json      the config; written last, so that a folder without it is not finished
"""

import logging
import multiprocessing
import shutil
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from curation.demo.config import DemoConfig
from curation.demo.plan import CopyPlan, VideoPlan
from curation.demo.planner import plan_corpus
from curation.demo.render import render_video, write_junk
from curation.demo.truth import CAPTIONS, TABLES
from curation.demo.truth_rows import Rows
from shards.schema import from_rows
from shards.store import read_json, write_json, write_table

logger = logging.getLogger(__name__)

_MARKER = "corpus.json"
_STAGING = ".rendering"


def render_corpus(out: Path, config: DemoConfig) -> None:
    """Renders the demo corpus, unless it stands there already.

    Args:
        out: Folder of the corpus. Nothing appears under a final name before everything is rendered.
        config: Size and seed.

    Raises:
        ValueError: The folder holds another corpus, or footage that is not ours.
    """
    if _stands(out, config):
        logger.info("demo corpus stands in %s", out)
        return
    staging = out / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    (staging / "videos").mkdir(parents=True)
    rows = _render_all(staging / "videos", config)
    _write_tables(staging, rows)
    for name in ("videos", "captions.parquet", "truth"):
        (staging / name).rename(out / name)
    write_json(out / _MARKER, _identity(config))
    staging.rmdir()
    logger.info("demo corpus: %d files, %d scenes in %s", len(rows.videos), len(rows.scenes), out)


def _identity(config: DemoConfig) -> dict:
    """What the bytes of the corpus depend on."""
    return {name: value for name, value in asdict(config).items() if name != "workers"}


def _stands(out: Path, config: DemoConfig) -> bool:
    marker = out / _MARKER
    if marker.exists():
        found, wanted = read_json(marker), _identity(config)
        if found == wanted:
            return True
        raise ValueError(
            f"{out} holds a demo corpus of another config ({found}, not {wanted}); remove it or name another folder"
        )
    taken = [name for name in ("videos", "captions.parquet", "truth") if (out / name).exists()]
    if taken:
        raise ValueError(f"{out} holds {taken[0]} but no finished demo corpus; remove it or name another folder")
    return False


def _render_all(folder: Path, config: DemoConfig) -> Rows:
    plan = plan_corpus(config)
    copies: dict[str, list[CopyPlan]] = defaultdict(list)
    for copy in plan.copies:
        copies[copy.source].append(copy)
    rows = Rows()
    for rendered in _run(
        [(folder, video, copies[video.path], config.width, config.height) for video in plan.videos], config.workers
    ):
        rows.extend(rendered)
    for junk in plan.junk:
        rows.extend(write_junk(folder, junk))
    return rows


def _run(tasks: list[tuple[Path, VideoPlan, list[CopyPlan], int, int]], workers: int) -> list[Rows]:
    """Renders the tasks, results in their order."""
    if workers == 1:
        return [render_video(*task) for task in tasks]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(render_video, *zip(*tasks, strict=True)))


def _write_tables(folder: Path, rows: Rows) -> None:
    tables = {"videos": rows.videos, "scenes": rows.scenes, "cuts": rows.cuts, "faults": _fault_rows(rows)}
    for name, schema in TABLES.items():
        table: pa.Table = from_rows(tables[name], schema)
        write_table(folder / "truth" / f"{name}.parquet", table, schema)
    write_table(folder / "captions.parquet", from_rows(rows.captions, CAPTIONS), CAPTIONS)


def _fault_rows(rows: Rows) -> list[dict]:
    of_files = [
        {"path": video["path"], "scene_index": None, "fault": tag} for video in rows.videos for tag in video["tags"]
    ]
    of_scenes = [
        {"path": scene["path"], "scene_index": scene["scene_index"], "fault": fault}
        for scene in rows.scenes
        for fault in scene["faults"]
    ]
    return of_files + of_scenes
