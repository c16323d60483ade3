"""The generations of a set: each run that finds new kept clips adds one; what stands stays as it is, byte for byte.

Tells what stands, and how the verdicts and captions of today compare with it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import pyarrow as pa

from curation.block import REASON
from curation.clip_captions import clip_captions
from curation.joined import KEY
from curation.scorer import Scorer
from curation.set_files import SetFiles, packed_sets, set_files
from curation.tables import Corpus
from shards import schema
from shards.store import parquet_file, read_json

CHOSEN = pa.schema(
    [
        schema.CLIP_ID,
        schema.VIDEO_ID,
        schema.field("shard", pa.string(), "where it goes, e.g. train/00000; null where no shard takes it"),
        schema.field("error", pa.string(), "why no shard takes it; null where one does"),
    ]
)


@dataclass(frozen=True)
class Standing:
    """What the generations of a set hold; a handful of numbers a clip."""

    number: int = 0
    """How many generations there are, and so the number of the next."""
    generations: dict[str, int] = field(default_factory=dict)
    """Clip -> its generation; those that no shard takes are here too, and are not tried again."""


NOTHING = Standing()


def read_standing(files: SetFiles) -> Standing:
    """What is planned of a set, packed or not yet."""
    generations: dict[str, int] = {}
    for number, rows in enumerate(chosen := list(_chosen(files, [KEY]))):
        generations |= dict.fromkeys(rows[KEY].to_pylist(), number)
    return Standing(len(chosen), generations)


def read_sides(corpus: Corpus) -> dict[str, str]:
    """Video of which a shard of any set takes a clip -> `train` or `val`: where it stands in one, it goes in all."""
    sides: dict[str, str] = {}
    for name in packed_sets(corpus):
        for rows in _chosen(set_files(corpus, name), ["video_id", "shard"]):
            taken = rows.filter(rows["shard"].is_valid())
            shards = taken["shard"].to_pylist()
            sides |= zip(taken["video_id"].to_pylist(), (shard.split("/")[0] for shard in shards), strict=True)
    return sides


def _chosen(files: SetFiles, columns: list[str]) -> Iterator[pa.Table]:
    """What each generation that is planned to its end chose."""
    for generation in read_json(files.plan_list)["generations"] if files.plan_list.exists() else ():
        with parquet_file(files.chosen(generation["number"])) as chosen:
            yield chosen.read(columns)


@dataclass(frozen=True)
class Survey:
    """How what the rules keep now compares with what stands."""

    num_new: int
    """Clips that are kept and do not stand yet."""
    num_gone: int
    """Clips that stand and are not kept any more."""
    num_blocked: int
    """Of these, clips on the block list."""
    captions: list[str]
    """Digest of the captions of each generation, the next one included."""


def survey(corpus: Corpus, scorers: Mapping[str, Scorer], set_name: str, standing: Standing) -> Survey:
    """Looks at every verdict and caption of a set.

    Raises:
        ValueError: a table is missing; names the file.
    """
    captions = [blake2b(digest_size=16) for _ in range(standing.number + 1)]
    new = still = blocked = 0
    for part in corpus.parts(f"verdicts/{set_name}"):
        verdicts = corpus.read(f"verdicts/{set_name}", part, [KEY, "rejected_by"])
        told = clip_captions(corpus, part, scorers)
        for clip_id, reasons in zip(*(verdicts[name].to_pylist() for name in (KEY, "rejected_by")), strict=True):
            stands = clip_id in standing.generations
            if not stands and reasons:
                continue
            new, still = new + (not stands), still + (stands and not reasons)
            blocked += REASON in reasons
            digest = captions[standing.generations.get(clip_id, standing.number)]
            for caption in told.get(clip_id, ()):
                digest.update(json.dumps([clip_id, *caption.values()]).encode() + b"\n")
    return Survey(new, len(standing.generations) - still, blocked, [digest.hexdigest() for digest in captions])


def outdated(planned: dict, found: Survey) -> str | None:
    """Why shards that stand may not stay, in words that follow their folder's name; None where they may.

    Args:
        planned: the set's `plan.json`.
        found: how things are now.
    """
    if found.num_blocked:
        return f"holds {found.num_blocked} clips that are on the block list now"
    for generation, captions in zip(planned["generations"], found.captions, strict=False):
        if generation["captions_hash"] != captions:
            return f"was packed with other captions of clips of generation {generation['number']}"
    return None
