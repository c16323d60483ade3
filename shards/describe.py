"""What is in a packed set, as tables of text; reads manifests and indexes alone, however large the tars are."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from shards.facts import NUMBERS, Facts, read_facts
from shards.manifest import MANIFEST, read_manifest, split_folders
from shards.places import Place, reaching
from shards.store import read_json

WIDTH = 100
UNITS = ("B", "kB", "MB", "GB", "TB")
MOST_ROWS = 12
"""Sizes and caption sources that are listed one by one."""
Rows = list[list[str]]


def describe(root: Place, list_shards: bool = False) -> Iterator[str]:
    """Lines of at most 100 characters.

    Args:
        root: a packed set, or one split of it.
        list_shards: whether to list every shard with its hash.

    Raises:
        ValueError: there is no packed set, or a manifest or an index is damaged or of another schema version.
        OSError: the disk or the network fails.
    """
    folders = {split or "all": folder for split, folder in split_folders(root).items()}
    manifests = {split: read_manifest(folder) for split, folder in folders.items()}
    of_splits = {split: read_facts(folder, manifests[split]) for split, folder in folders.items()}
    facts, shards = list(of_splits.values()), [shard for each in manifests.values() for shard in each["shards"]]
    blocks = [
        _head(root, manifests),
        _splits(manifests, of_splits),
        _generations(shards),
        _numbers(facts, shards),
        _counts("size (width x height)", "samples", [each.sizes for each in facts]),
        _counts("sound", "samples", [each.sounds for each in facts]),
        _counts("captions by", "captions", [each.sources for each in facts]),
        _scores(facts),
        _score_configs(facts),
        _hashes(folders),
        _shards(manifests) if list_shards else [],
    ]
    for block in blocks:
        yield from [*_aligned(block), ""] if block else []


def _head(root: Place, manifests: Mapping[str, dict]) -> Rows:
    first = next(iter(manifests.values()))
    told = read_json(root / MANIFEST)
    lost = [["not packed", f"{told['failed']} of {told['kept']} samples"]] if told.get("failed") else []
    about = [["packed set", str(root)], ["schema version", str(first["schema_version"])]]
    return [*about, ["configuration", str(first.get("config_hash"))], *lost]


def _splits(manifests: Mapping[str, dict], of_splits: Mapping[str, Facts]) -> Rows:
    rows = [["split", "shards", "samples", "videos", "hours", "size", "without caption"]]
    for split, facts in of_splits.items():
        shards, hours = manifests[split]["shards"], sum(map(np.sum, facts.numbers["duration_s"])) / 3600
        counts = [len(shards), facts.num_samples, len(facts.videos)]
        size = _bytes(manifests[split]["size_bytes"])
        rows.append([split, *map(str, counts), f"{hours:.2f}", size, str(facts.num_samples - facts.num_captioned)])
    return rows


def _generations(shards: Sequence[dict]) -> Rows:
    """What each run that found new clips has added; nothing where all were packed at once."""
    rows = [["generation", "shards", "samples", "size"]]
    for generation in sorted({shard.get("generation", 0) for shard in shards}):
        mine = [shard for shard in shards if shard.get("generation", 0) == generation]
        samples, size = (sum(shard[name] for shard in mine) for name in ("num_samples", "size_bytes"))
        rows.append([str(generation), str(len(mine)), str(samples), _bytes(size)])
    return rows if any(shard.get("generation") for shard in shards) else []


def _numbers(facts: Sequence[Facts], shards: Sequence[dict]) -> Rows:
    rows = [["field", "samples", "min", "5 %", "median", "95 %", "max"]]
    for name in NUMBERS:
        rows.append([name, *_spread(_joined([each.numbers[name] for each in facts]), (0, 5, 50, 95, 100))])
    sizes = np.array([shard["size_bytes"] for shard in shards])
    return [*rows, ["bytes of a shard", *_spread(sizes, (0, 5, 50, 95, 100), _bytes)]]


def _scores(facts: Sequence[Facts]) -> Rows:
    rows = [["score", "samples", "min", "median", "max"]]
    for name in sorted({name for each in facts for name in each.scores}):
        values = _joined([each.scores.get(name, []) for each in facts])
        rows.append([name, *_spread(values, (0, 50, 100))])
    return rows if len(rows) > 1 else []


def _score_configs(facts: Sequence[Facts]) -> Rows:
    names = sorted({name for each in facts for name in each.score_configs})
    hashes = {name: sorted(set().union(*(each.score_configs.get(name, ()) for each in facts))) for name in names}
    rows = [[name, ", ".join(found_hash or "unknown" for found_hash in hashes[name])] for name in names]
    return [["score table", "configuration"], *rows] if rows else []


def _counts(title: str, of: str, counters: Sequence[Counter[str]]) -> Rows:
    """The most frequent first; the others together."""
    ranked = sum(counters, Counter()).most_common()
    rest = sum(count for _, count in ranked[MOST_ROWS:])
    others = [(f"{len(ranked) - MOST_ROWS} others", rest)] if rest else []
    rows = [[name, str(count)] for name, count in chain(ranked[:MOST_ROWS], others)]
    return [[title, of], *rows] if rows else []


def _hashes(folders: Mapping[str, Place]) -> Rows:
    """What a trainer remembers of a set: the hash of its manifest, which holds that of every tar."""
    rows = [["manifest", "SHA-256"]]
    for split, folder in folders.items():
        with reaching(folder):
            rows.append([split, hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()])
    return rows


def _shards(manifests: Mapping[str, dict]) -> Rows:
    rows = [["shard", "samples", "size", "SHA-256"]]
    for split, manifest in manifests.items():
        for shard in manifest["shards"]:
            about = [str(shard["num_samples"]), _bytes(shard["size_bytes"]), shard["sha256"]]
            rows.append([f"{split}/{shard['name']}", *about])
    return rows


def _joined(parts: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *chain.from_iterable(parts)])


def _spread(values: np.ndarray, percents: Sequence[int], text: Callable[[float], str] = "{:.6g}".format) -> list[str]:
    """How many values there are, and their percentiles."""
    found = np.percentile(values, percents, method="nearest") if len(values) else []
    return [str(len(values)), *(text(value) for value in found)] if len(values) else ["0", *["-"] * len(percents)]


def _bytes(count: float) -> str:
    power = min((len(str(int(count))) - 1) // 3, len(UNITS) - 1)
    return f"{count / 1000**power:.3g} {UNITS[power]}"


def _aligned(rows: Rows) -> Iterator[str]:
    """Columns of numbers to the right, others to the left; what is too long is cut."""
    columns = [[row[k] for row in rows] for k in range(len(rows[0]))]
    for k, cells in enumerate(columns):
        width = min(max(map(len, cells)), WIDTH // 2 if k == 0 else WIDTH)
        cells = [cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell in cells]
        is_text = k == 0 or len(columns) == 2 or cells[0] == "SHA-256"
        columns[k] = [cell.ljust(width) if is_text else cell.rjust(width) for cell in cells]
    for cells in zip(*columns, strict=True):
        line = "  ".join(cells).rstrip()
        yield line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
