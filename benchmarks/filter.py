"""How long it takes to filter anew, over a plain scan of the same columns by DuckDB. `make bench NAME=filter`.

A made-up corpus on disk in the layout of a real one: clips, duplicates, and 20 scores in 5 tables, in parts of 10,000
clips (900 videos at SVD's 11 clips a video). Eight rules over all five tables, four of them shares; verdicts written.
DuckDB scans the columns that the rules name, ids, lengths and duplicates, once. Both in processes of their own, in
turn, from the page cache; imports apart, but the start of the processes that we work with counts. The best of some
rounds counts, and the peak memory of ours: that of the first process, and of each other as much as the largest takes.
"""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from curation import filter
from curation.config import CurateConfig, Rule, RuleSet
from curation.tables import Corpus, part_name
from shards.schema import CLIP_ID, CLIPS, DEDUP, field

TIME_CEILING = 3.0  # of a plain scan
PEAK_CEILING_GB = 2.0
CORES = len(os.sched_getaffinity(0))
CLIPS_A_VIDEO = 11
DUPLICATES = 0.1  # share of clips that have some, in pairs
TABLES = [f"scorer_{table}" for table in "abcde"]
SCORES = {table: [f"{table}_{number}" for number in range(4)] for table in TABLES}
RULES = [
    *(Rule(f"scorer_{table}_0", drop_bottom=share) for table, share in (("a", 0.25), ("b", 0.25), ("c", 0.5))),
    Rule("scorer_d_0", drop_top=0.25),
    *(Rule(f"scorer_{table}_1", min=0.01) for table in "abd"),
    Rule("scorer_e_1", max=0.99),
]


def make_corpus(root: Path, clips: int, part_clips: int) -> None:
    """Writes the corpus; scores are even over 0..1, one in a hundred is missing."""
    corpus, rng = Corpus(root), np.random.default_rng(0)
    for number, start in enumerate(range(0, clips, part_clips)):
        size, part = min(part_clips, clips - start), part_name(number)
        ids = make_ids(rng, size)
        rows = {name: pa.nulls(size, CLIPS.field(name).type) for name in CLIPS.names}
        rows |= {"clip_id": ids, "duration_s": pa.array(rng.uniform(2, 20, size))}
        corpus.write("clips", part, pa.table(rows, schema=CLIPS), CLIPS)
        for table, names in SCORES.items():
            schema = pa.schema([CLIP_ID, *(field(name, pa.float32(), "a score") for name in names)])
            scores = [pa.array(rng.random(size, np.float32), mask=rng.random(size) < 0.01) for _ in names]
            corpus.write(f"scores/{table}", part, pa.table([ids, *scores], schema=schema), schema)
        corpus.write("scores/dedup", part, make_duplicates(rng, ids), DEDUP)


def make_ids(rng: np.random.Generator, size: int) -> pa.Array:
    """Ids of clips, as they look: so many of each video, one after the other."""
    ids = []
    while len(ids) < size:
        video, end = rng.bytes(10).hex(), 0
        for length in rng.integers(1000, 20000, CLIPS_A_VIDEO).tolist():
            ids.append(f"{video}-{end:09d}-{end + length:09d}")
            end += length
    return pa.array(ids[:size])


def make_duplicates(rng: np.random.Generator, ids: pa.Array) -> pa.Table:
    """Pairs of neighbours."""
    pair = np.arange(len(ids)) // 2
    is_pair = pa.array(rng.random(len(ids) // 2 + 1)[pair] < DUPLICATES)
    group = pc.if_else(is_pair, ids.take(pa.array(2 * pair)), None)
    rank = pc.if_else(is_pair, pa.array(np.arange(len(ids)) % 2, pa.int32()), None)
    columns = [pa.nulls(len(ids), each.type) for each in DEDUP]
    rows = dict(zip(DEDUP.names, columns, strict=True)) | {"clip_id": ids}
    rows |= {"duplicate_group": group, "duplicate_rank": rank}
    return pa.table(rows, schema=DEDUP)


def ours(root: Path) -> int:
    """Filters anew; gives how many clips are kept."""
    config = CurateConfig(scorers=dict.fromkeys(TABLES), sets={"hq": RuleSet(RULES)})  # pyright: ignore[reportArgumentType]
    return int(filter.run(Corpus(root), config)["hq"]["kept"])


def duckdb_scan(root: Path) -> int:
    """Reads the same columns and adds them up."""
    import duckdb

    wanted = {f"scores/{table}": [r.column for r in RULES if r.column.startswith(table)] for table in TABLES}
    wanted |= {"clips": ["duration_s"], "scores/dedup": ["duplicate_rank"]}
    texts = {table: ["clip_id"] for table in wanted} | {"scores/dedup": ["clip_id", "duplicate_group"]}
    for table, names in wanted.items():
        sums = [f"sum({name})" for name in names] + [f"sum(strlen({name}))" for name in texts[table]]
        duckdb.execute(f"SELECT {', '.join(sums)} FROM read_parquet('{root}/{table}/*.parquet')").fetchall()
    return 0


def polars_scan(root: Path) -> int:
    """The same by polars, for information."""
    import polars as pl

    for table in [*(f"scores/{name}" for name in TABLES), "clips", "scores/dedup"]:
        names = [rule.column for rule in RULES if f"scores/{rule.column}".startswith(table)]
        names += {"clips": ["duration_s"], "scores/dedup": ["duplicate_rank"]}.get(table, [])
        texts = ["clip_id", *(["duplicate_group"] if table == "scores/dedup" else [])]
        sums = [pl.col(names).sum(), pl.col(texts).str.len_bytes().sum()]
        pl.scan_parquet(f"{root}/{table}/*.parquet").select(sums).collect()
    return 0


SIDES: dict[str, Callable[[Path], int]] = {"ours": ours, "duckdb": duckdb_scan, "polars": polars_scan}


def apart(side: str, root: Path) -> dict[str, float]:
    """One side in a process of its own: seconds, and its peak memory."""
    command = [sys.executable, str(Path(__file__).resolve()), "--only", side, "--corpus", str(root)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def alone(side: str, root: Path) -> None:
    """What such a process does."""
    for name in ("duckdb", "polars", "pandas"):  # pyarrow imports pandas when it first meets an array
        import_module(name)
    start, cpu = time.perf_counter(), time.process_time()
    kept = SIDES[side](root)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + CORES * children.ru_maxrss) / 2**20
    cpu += children.ru_utime + children.ru_stime
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_gb": peak, "kept": kept}))


def main() -> int:
    """Prints one line of JSON; exits 1 above a ceiling."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=10_000_000)
    parser.add_argument("--part-clips", type=int, default=10_000, help="clips of a part")
    parser.add_argument("--corpus", type=Path, help="keep the corpus there, and take it where it stands")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=SIDES, help="run one side, once, over --corpus")
    options = parser.parse_args()
    if options.only:
        alone(options.only, options.corpus)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        root = options.corpus or Path(scratch)
        if not (root / "clips").exists():
            make_corpus(root, options.clips, options.part_clips)
        runs = [{side: apart(side, root) for side in SIDES} for _ in range(options.rounds)]
    best = {side: min(run[side]["seconds"] for run in runs) for side in SIDES}
    cpu = {side: min(run[side]["cpu_seconds"] for run in runs) for side in SIDES}
    figures = {
        "clips": options.clips,
        "over_duckdb": round(best["ours"] / best["duckdb"], 2),
        "over_polars": round(best["ours"] / best["polars"], 2),
        "processor_time_over_duckdb": round(cpu["ours"] / cpu["duckdb"], 2),
        "peak_gb": round(max(run["ours"]["peak_gb"] for run in runs), 2),
        "clips_a_second": round(options.clips / best["ours"]),
        "kept": runs[0]["ours"]["kept"],
    }
    ok = figures["over_duckdb"] <= TIME_CEILING and figures["peak_gb"] <= PEAK_CEILING_GB
    ceilings = {"over_duckdb": TIME_CEILING, "peak_gb": PEAK_CEILING_GB}
    print(json.dumps({"name": "filter", "figures": figures, "floors": ceilings, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
