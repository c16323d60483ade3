"""Which kept clip goes into which shard, with all that a worker must know of it: made once, before any clip is cut."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc

from curation.clip_captions import clip_captions
from curation.config import CurateConfig
from curation.joined import KEY, Joined, is_number, join, read_mirror
from curation.motion_bucket import MotionBuckets, rank_motion
from curation.scorer import Scorer
from curation.stamp import STAMP
from curation.tables import Corpus
from shards.manifest import MANIFEST, SPLITS
from shards.places import Place
from shards.schema import DEDUP, INPUTS, SAMPLE, SPAN, from_rows
from shards.store import read_json

logger = logging.getLogger(__name__)

MEASURED = ("fps", "width", "height", "made_by")
"""Fields of a sample that are known once it is made. The number of frames is known before, so that it is checked."""
# Beside a sample a plan holds its source as it was when it was listed, so that another is not cut instead.
PLAN = pa.schema([*(f for f in SAMPLE if f.name not in MEASURED), *(INPUTS.field(name) for name in STAMP)])
SIGNALS = ["luma_mean", "luma_std", "frame_difference", "black_share", "sharpness", "blockiness"]
FROM_CLIPS = ["video_id", *(column.name for column in SPAN), "num_frames", "duration_s"]
GROUP = DEDUP.field("duplicate_group").name
GIANT_SHARE, GIANT_MIN_CLIPS = 0.2, 100


@dataclass(frozen=True)
class SetFiles:
    """Where the files of one packed set lie."""

    root: Place

    def tar(self, part: str) -> Place:
        """A shard, by its part's name, e.g. `train/00000`."""
        return self.root / f"{part}.tar"

    def plan(self, part: str) -> Place:
        """The rows that a shard is made from."""
        return self.root / "plan" / f"{part.replace('/', '-')}.parquet"

    def failures(self, part: str) -> Place:
        """The clips of a shard's plan that are not in it."""
        return self.root / "failures" / f"{part.replace('/', '-')}.parquet"

    @property
    def plan_list(self) -> Place:
        """Names of all shards; it stands once the whole plan does."""
        return self.root / "plan" / "plan.json"

    @property
    def manifest(self) -> Place:
        """What was packed; it stands once the whole set does."""
        return self.root / MANIFEST


def set_files(corpus: Corpus, set_name: str) -> SetFiles:
    """The files of a rule set's shards."""
    return SetFiles(corpus.folder(f"shards/{set_name}"))


def score_configs(corpus: Corpus, config: CurateConfig) -> dict[str, str]:
    """Score table -> hash of the configuration that made it, as the guard wrote it; empty where it wrote none."""
    records = {name: corpus.folder(f"scores/{name}") / "config.json" for name in [*config.scorers, "dedup"]}
    return {name: read_json(path)["hash"] if path.exists() else "" for name, path in records.items()}


def corpus_motion(corpus: Corpus, config: CurateConfig, set_name: str) -> MotionBuckets:
    """Ranks the motion of all clips, kept or not.

    Raises:
        ValueError: a table is missing, or the column does not hold one number a clip.
    """
    wide, column = join(corpus, [*config.scorers, "dedup"]), config.pack.motion_column
    if column is None or column not in wide.fields:
        if column is not None:
            logger.warning("set %s: no score `%s`, so its samples have no motion_bucket", set_name, column)
        return MotionBuckets(None)
    if not is_number(wide.fields[column].type):
        raise ValueError(f"pack.motion_column: `{column}` does not hold one number a clip; name another score")
    return rank_motion(column, wide.column(column).cast(pa.float64()).to_numpy())


def make_plan(
    corpus: Corpus,
    config: CurateConfig,
    set_name: str,
    config_hash: str,
    motion: MotionBuckets | None = None,
) -> Iterator[tuple[str, pa.Table]]:
    """Name, `<split>/<number>`, and rows, of PLAN, of each shard; no shard is empty.

    Holds one row for each kept clip of the set: ids, captions and scores, no pictures.

    Args:
        corpus: where clips, scores and verdicts lie.
        config: its scorers say which scores a sample carries, its `pack` how clips are split and shuffled.
        set_name: the rule set.
        config_hash: goes into every sample.
        motion: the mapping to buckets of motion; None ranks the clips of the corpus as it is now.

    Raises:
        ValueError: a table is missing or does not mirror `clips`; names the file.
    """
    wide, settings = join(corpus, [*config.scorers, "dedup"]), config.pack
    if motion is None:
        motion = corpus_motion(corpus, config, set_name)
    made_by = {"config_hash": config_hash, "score_configs": sorted(score_configs(corpus, config).items())}
    rows_of = partial(_kept_rows, wide, config.scorers, set_name, motion, made_by)
    parts = [from_rows(list(rows_of(part)), PLAN) for part in wide.parts()]
    kept = pa.concat_tables(parts)
    keys = [shuffle_key(settings.seed, clip_id) for clip_id in kept["key"].to_pylist()]
    kin = relatives(wide)
    identities = [kin.get(video_id, video_id) for video_id in map(str, kept["video_id"].to_pylist())]
    _warn_of_giant(set_name, identities)
    rows: dict[str, list[int]] = {split: [] for split in SPLITS}
    for row in sorted(range(len(kept)), key=keys.__getitem__):
        rows["val" if is_val(identities[row], settings.val_share) else "train"].append(row)
    for split in SPLITS:
        for number, start in enumerate(range(0, len(rows[split]), settings.samples_per_shard)):
            mine = rows[split][start : start + settings.samples_per_shard]
            yield f"{split}/{number:05d}", kept.take(mine)


def is_val(identity: str, val_share: float) -> bool:
    """Whether the videos of this identity are for validation: the same in every set and for every seed.

    Args:
        identity: the smallest id among a video and those related to it; see `relatives`.
        val_share: 0..1.
    """
    digest = blake2b(identity.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 < val_share


def shuffle_key(seed: int, clip_id: str) -> bytes:
    """Clips sorted by it are shuffled over all sources; a clip keeps its key whatever other clips there are."""
    return blake2b(f"{seed} {clip_id}".encode(), digest_size=16).digest()


def relatives(wide: Joined) -> dict[str, str]:
    """Video -> the smallest id among all videos that duplicates join to it, directly or through others.

    Counts every clip, kept or not, so that all sets part their videos alike. A video without duplicates is left out.
    It stands for its clips: equal clips are of related videos, neighbouring ones of one video.
    """
    members: dict[str, str] = {}
    parents: dict[str, str] = {}
    for part in wide.parts():
        rows = wide.read(part, ["video_id", GROUP])
        rows = rows.filter(rows[GROUP].is_valid()).group_by(["video_id", GROUP], use_threads=False).aggregate([])
        for video_id, group in zip(rows["video_id"].to_pylist(), rows[GROUP].to_pylist(), strict=True):
            low, high = sorted((_root(parents, video_id), _root(parents, members.setdefault(group, video_id))))
            parents[high] = low
    return {video_id: _root(parents, video_id) for video_id in parents}


def _root(parents: dict[str, str], video_id: str) -> str:
    """The smallest id known to be related; shortens the way there."""
    while (parent := parents.setdefault(video_id, video_id)) != video_id:
        parents[video_id] = parents[parent]
        video_id = parent
    return video_id


def _warn_of_giant(set_name: str, identities: list[str]) -> None:
    """Says when the share for validation cannot be met, since a large part of a set must stand on one side."""
    identity, largest = Counter(identities).most_common(1)[0] if identities else ("", 0)
    if len(identities) > GIANT_MIN_CLIPS and largest > GIANT_SHARE * len(identities):
        logger.warning(
            "set %s: %d of its %d clips are of videos that duplicates join to %s; all stand on one side of train | val",
            set_name,
            largest,
            len(identities),
            identity,
        )


def _kept_rows(
    wide: Joined, scorers: Mapping[str, Scorer], set_name: str, motion: MotionBuckets, made_by: dict, part: str
) -> Iterator[dict]:
    scores = [name for name in wide.numeric() if wide.homes[name] not in ("clips", "scores/dedup")] + SIGNALS
    moved = [motion.column] if motion.column else []
    clips = wide.read(part, list(dict.fromkeys([KEY, *FROM_CLIPS, *scores, *moved])))
    verdicts = read_mirror(wide.corpus, f"verdicts/{set_name}", part, clips[KEY], ["rejected_by"])
    videos = wide.corpus.read("videos", part, ["video_id", "path"]).to_pylist()
    paths = {video["video_id"]: video["path"] for video in videos}
    inputs = wide.corpus.read("inputs", part, ["path", *STAMP]).to_pylist()
    stamps = {row["path"]: {name: row[name] for name in STAMP} for row in inputs}
    captions = clip_captions(wide.corpus, part, scorers)
    for row in clips.filter(pc.equal(pc.list_value_length(verdicts["rejected_by"]), 0)).to_pylist():
        yield {
            "key": row[KEY],
            "captions": captions.get(row[KEY], []),
            "path": paths[row["video_id"]],
            **stamps[paths[row["video_id"]]],
            "scores": _scores({name: row[name] for name in scores}),
            "motion_bucket": motion.of(row[motion.column]) if motion.column else None,
            **made_by,
            **{name: row[name] for name in FROM_CLIPS},
        }


def _scores(values: dict[str, float | None]) -> list[tuple[str, float]]:
    """Name and value of every score the clip has."""
    return sorted((name, float(v)) for name, v in values.items() if v is not None and math.isfinite(v))
