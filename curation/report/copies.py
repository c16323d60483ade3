"""Groups of duplicates to look at: a few of each kind, drawn by their ids, which are hashes."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.streamed import row_groups

GROUPS_A_KIND = 4
MEMBERS = 6
KINDS = {"exact": "equal frames", "perceptual": "same footage", "semantic": "almost equal embeddings"}
COLUMNS = ["duplicate_group", "duplicate_rank", "exact_rank", "perceptual_rank"]
LIKENESS = ["perceptual_similarity", "semantic_similarity"]


@dataclass(frozen=True)
class Group:
    """Clips that dedup put together."""

    kind: str
    size: int
    rows: list[int]
    """Row numbers in `stats/clips` of at most MEMBERS, the best first."""


def groups(clips: pq.ParquetFile) -> list[Group]:
    """Some groups of each kind, in two passes over `stats/clips`; none before the job `dedup`."""
    if not {*COLUMNS, *LIKENESS}.issubset(clips.schema_arrow.names):
        return []
    chosen = _chosen(clips)
    members = {group: [] for group in chosen}
    start = 0
    for rows in row_groups(clips, COLUMNS[:2]):
        place = np.flatnonzero(pc.is_in(rows["duplicate_group"], value_set=pa.array(chosen, pa.string())))
        for number, row in zip(place.tolist(), rows.take(pa.array(place)).to_pylist(), strict=True):
            members[row["duplicate_group"]].append((row["duplicate_rank"], start + number))
        start += len(rows)
    told = {group: [number for _, number in sorted(rows)] for group, rows in members.items()}
    return [Group(KINDS[kind], len(told[group]), told[group][:MEMBERS]) for group, kind in chosen.items()]


def _chosen(clips: pq.ParquetFile) -> dict[str, str]:
    """Groups and why some clip of each joined it, those of one kind together."""
    smallest: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for rows in row_groups(clips, COLUMNS):
        joined = {kind: pc.greater(rows[f"{kind}_rank"], 0) for kind in ("exact", "perceptual")}
        any_kind = pc.greater(rows["duplicate_rank"], 0)
        masks = {
            "exact": joined["exact"],
            "perceptual": pc.and_not(joined["perceptual"], pc.fill_null(joined["exact"], False)),
            "semantic": pc.and_not(any_kind, pc.fill_null(joined["perceptual"], False)),
        }
        for kind, mask in masks.items():
            found = pc.unique(rows["duplicate_group"].filter(mask).drop_null()).to_pylist()
            smallest[kind] = set(sorted(smallest[kind].union(found))[:GROUPS_A_KIND])
    return {group: kind for kind in reversed(KINDS) for group in sorted(smallest[kind])}
