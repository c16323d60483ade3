"""Which kept clip goes into which shard, with all that a worker must know of it: made once, before any clip is cut."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import logging
import math
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc

from curation.bars import crop_known
from curation.best_frame import read_best_frames
from curation.clip_captions import clip_captions
from curation.config import CurateConfig, PackConfig
from curation.generations import CHOSEN, NOTHING, Standing, read_sides
from curation.joined import KEY, Joined, is_number, join, read_mirror
from curation.motion_bucket import MotionBuckets, rank_motion
from curation.pack_buckets import Footage, choose
from curation.sides import TORN, find_sides
from curation.stamp import STAMP
from curation.tables import Corpus
from shards.manifest import SPLITS, shard_name
from shards.schema import INPUTS, SAMPLE, SPAN, from_rows
from shards.store import read_json

logger = logging.getLogger(__name__)

MEASURED = ("fps", "width", "height", "made_by", "audio")
"""Fields of a sample that are known once it is made. The number of frames is known before, so that it is checked."""
PICTURE_PTS = "picture_pts"
"""The frame that becomes the picture; null where that is the middle one, or a video is made."""
FOR_WORK = (*STAMP, PICTURE_PTS)
"""What a plan holds beside a sample; its source as it was when it was listed, so that another is not cut instead."""
PLAN = pa.schema(
    [
        *(f for f in SAMPLE if f.name not in MEASURED),
        *(INPUTS.field(name) for name in STAMP),
        pa.field(PICTURE_PTS, pa.int64()),
    ]
)
WITH_UNFIT = PLAN.append(pa.field("unfit", pa.string()))
SIGNALS = ["luma_mean", "luma_std", "frame_difference", "black_share", "sharpness", "blockiness"]
FROM_CLIPS = ["video_id", *(column.name for column in SPAN), "num_frames", "duration_s"]
SIZE = ["width", "height"]


def score_configs(corpus: Corpus, config: CurateConfig) -> dict[str, str]:
    """Score table -> hash of the configuration that made it, as the guard wrote it; empty where it wrote none."""
    records = {name: corpus.folder(f"scores/{name}") / "config.json" for name in [*config.scorers, "dedup"]}
    return {name: read_json(path)["hash"] if path.exists() else "" for name, path in records.items()}


def corpus_motion(corpus: Corpus, config: CurateConfig, set_name: str) -> MotionBuckets:
    """Ranks the motion of all clips, kept or not.

    Raises:
        ValueError: a table is missing, or the column does not hold one number a clip.
    """
    wide, column = join(corpus, [*config.scorers, "dedup"]), config.pack_of(set_name).motion_column
    if column is None or column not in wide.fields:
        if column is not None:
            logger.warning("set %s: no score `%s`, so its samples have no motion_bucket", set_name, column)
        return MotionBuckets(None)
    if not is_number(wide.fields[column].type):
        raise ValueError(f"pack.motion_column: `{column}` does not hold one number a clip; name another score")
    return rank_motion(column, wide.column(column).cast(pa.float64()).to_numpy())


@dataclass(frozen=True)
class Plan:
    """One generation: which of its clips goes into which shard."""

    kept: pa.Table
    """Of `PLAN`, a row for each clip; ids, captions and scores, no pictures."""
    shards: dict[str, list[int]]
    """Name, `<split>/<shard>`, -> its rows of `kept` in their order; no shard is empty."""
    unfit: dict[int, str]
    """Rows of `kept` that go into no shard, and why."""

    def parts(self) -> Iterator[tuple[str, pa.Table]]:
        """Name and rows of each shard."""
        return ((part, self.kept.take(rows)) for part, rows in self.shards.items())

    def chosen(self) -> pa.Table:
        """What later generations must know of this one: `generations.CHOSEN`, in the order of `kept`."""
        shards = {row: part for part, rows in self.shards.items() for row in rows}
        told = [[found.get(row) for row in range(len(self.kept))] for found in (shards, self.unfit)]
        return pa.table([self.kept["key"], self.kept["video_id"], *told], schema=CHOSEN)


def make_plan(
    corpus: Corpus,
    config: CurateConfig,
    set_name: str,
    config_hash: str,
    motion: MotionBuckets | None = None,
    standing: Standing = NOTHING,
) -> Plan:
    """Plans the clips that the set keeps and does not hold yet.

    Args:
        corpus: where clips, scores and verdicts lie.
        config: its scorers say which scores a sample carries, its `pack_of` the set how clips are split and shuffled.
        set_name: the rule set.
        config_hash: goes into every sample.
        motion: the mapping to buckets of motion; None ranks the clips of the corpus as it is now.
        standing: what the set holds.

    Raises:
        ValueError: a table is missing, does not mirror `clips`, or has a part that was made with another configuration
            or other weights than the table remembers; names the file.
    """
    wide, settings = join(corpus, [*config.scorers, "dedup"]), config.pack_of(set_name)
    if motion is None:
        motion = corpus_motion(corpus, config, set_name)
    made_by = {"config_hash": config_hash, "score_configs": sorted(score_configs(corpus, config).items())}
    rows_of = partial(_kept_rows, wide, config, set_name, motion, standing.generations, made_by)
    parts = [from_rows(list(rows_of(part)), WITH_UNFIT) for part in wide.parts()]
    whole = pa.concat_tables([WITH_UNFIT.empty_table(), *parts])
    kept, buckets = whole.select(PLAN.names), whole["bucket"].to_pylist()
    video_ids = kept["video_id"].to_pylist()
    sides = find_sides(wide, set_name, video_ids, read_sides(corpus), settings.val_share)
    torn = {row: TORN for row, video_id in enumerate(video_ids) if sides[video_id] is None}
    unfit = torn | {row: reason for row, reason in enumerate(whole["unfit"].to_pylist()) if reason}
    keys = [shuffle_key(settings.seed, clip_id) for clip_id in kept["key"].to_pylist()]
    order = sorted(range(len(kept)), key=keys.__getitem__)
    shards: dict[str, list[int]] = {}
    for split in SPLITS:
        mine = [row for row in order if sides[video_ids[row]] == split and row not in unfit]
        for number, rows in enumerate(_runs(mine, buckets, settings.samples_per_shard)):
            shards[f"{split}/{shard_name(standing.number, number)}"] = rows
    return Plan(kept, shards, unfit)


def _runs(rows: list[int], buckets: list[str | None], most: int) -> Iterator[list[int]]:
    """Rows in runs of one bucket each, in their order; buckets in the order in which they are met."""
    of_bucket: dict[str | None, list[int]] = {}
    for row in rows:
        of_bucket.setdefault(buckets[row], []).append(row)
    for mine in of_bucket.values():
        yield from (mine[start : start + most] for start in range(0, len(mine), most))


def shuffle_key(seed: int, clip_id: str) -> bytes:
    """Clips sorted by it are shuffled over all sources; a clip keeps its key whatever other clips there are."""
    return blake2b(f"{seed} {clip_id}".encode(), digest_size=16).digest()


def _kept_rows(
    wide: Joined,
    config: CurateConfig,
    set_name: str,
    motion: MotionBuckets,
    standing: Container[str],
    made_by: dict,
    part: str,
) -> Iterator[dict]:
    """Rows of PLAN for the clips of a part that are kept and do not stand yet."""
    settings = config.pack_of(set_name)
    best = read_best_frames(wide.corpus, part) if settings.mode == "images" else None
    scores = [name for name in wide.numeric() if wide.homes[name] not in ("clips", "scores/dedup")] + SIGNALS
    moved = [motion.column] if motion.column else []
    clips = wide.read(part, list(dict.fromkeys([KEY, *FROM_CLIPS, *SIZE, *scores, *moved])))
    verdicts = read_mirror(wide.corpus, f"verdicts/{set_name}", part, clips[KEY], ["rejected_by"])
    videos = wide.corpus.read("videos", part, ["video_id", "path"]).to_pylist()
    paths = {video["video_id"]: video["path"] for video in videos}
    inputs = wide.corpus.read("inputs", part, ["path", *STAMP]).to_pylist()
    stamps = {row["path"]: {name: row[name] for name in STAMP} for row in inputs}
    captions = clip_captions(wide.corpus, part, config.scorers)
    for row in clips.filter(pc.equal(pc.list_value_length(verdicts["rejected_by"]), 0)).to_pylist():
        if row[KEY] in standing:
            continue
        yield {
            "key": row[KEY],
            "captions": captions.get(row[KEY], []),
            "path": paths[row["video_id"]],
            **stamps[paths[row["video_id"]]],
            "scores": _scores({name: row[name] for name in scores}),
            **bucket_of(settings, row),
            PICTURE_PTS: best.pts(row["video_id"], row["start_pts"], row["end_pts"]) if best else None,
            "motion_bucket": motion.of(row[motion.column]) if motion.column else None,
            **made_by,
            **{name: row[name] for name in FROM_CLIPS},
        }


def bucket_of(settings: PackConfig, clip: dict) -> dict[str, str | None]:
    """Of a row of `clips` with its scores: the `bucket` that it is packed for, and else why it is `unfit` for all."""
    if settings.buckets is None:
        return {"bucket": None, "unfit": None}
    size = (clip["width"], clip["height"])
    if settings.crop_bars and (box := crop_known(clip)):
        size = (size[0] * (box.right - box.left), size[1] * (box.bottom - box.top))
    footage = Footage(clip["num_frames"], clip["duration_s"], *size)
    bucket, reason = choose(settings.buckets, footage, settings.bucket_max_crop)
    return {"bucket": str(bucket) if bucket else None, "unfit": reason}


def _scores(values: dict[str, float | None]) -> list[tuple[str, float]]:
    """Name and value of every score the clip has."""
    return sorted((name, float(v)) for name, v in values.items() if v is not None and math.isfinite(v))
