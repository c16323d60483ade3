"""Job 5: cuts and encodes the kept clips of a set and writes them as shuffled shards, for training and validation.

A clip that cannot be cut is listed with its reason and left out; the others go on.
"""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import json
import logging
from dataclasses import asdict
from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc

from curation import guard
from curation.block import read_block_list, refuse_older_verdicts
from curation.clip_captions import clip_captions
from curation.config import CurateConfig, PackConfig
from curation.engine import Counts
from curation.joined import KEY
from curation.pack_plan import PLAN, SPLITS, corpus_motion, make_plan, score_configs, set_files
from curation.pack_worker import PackTask, encode_settings
from curation.tables import Corpus
from shards.encode import check_settings
from shards.places import Place
from shards.schema import SCHEMA_VERSION
from shards.store import num_rows, read_json, write_json, write_table
from shards.writer import index_path, write_manifest

logger = logging.getLogger(__name__)

__all__ = ["PackTask", "check", "describe", "finish", "plan"]


def check(config: PackConfig) -> None:
    """Finds what is wrong with the configuration before any work.

    Raises:
        ValueError: names the key.
    """
    if config.samples_per_shard < 1:
        raise ValueError(f"pack.samples_per_shard: {config.samples_per_shard} is not at least 1")
    if not 0 <= config.val_share <= 1:
        raise ValueError(f"pack.val_share: {config.val_share} is no share; give a number from 0 to 1")
    try:
        check_settings(encode_settings(config))
    except ValueError as error:
        raise ValueError(f"pack: {error}") from error


def describe(corpus: Corpus, config: CurateConfig, set_name: str) -> dict:
    """All that the shards of a set depend on, as JSON.

    How they are packed, the rules, the clips that these kept, their captions, and how their scores were made.

    Raises:
        ValueError: the set has no verdicts, or its verdicts do not know the block list as it is now.
    """
    rules, kept = _rules(corpus, set_name), []
    refuse_older_verdicts(corpus, set_name, rules, read_block_list(config.block_list))
    captions = blake2b(digest_size=16)
    for part in corpus.parts(f"verdicts/{set_name}"):
        mine = _kept_ids(corpus, set_name, part)
        kept += mine.to_pylist()
        told = clip_captions(corpus, part, config.scorers)
        for clip_id in mine.to_pylist():
            for caption in told.get(clip_id, ()):
                captions.update(json.dumps([clip_id, *caption.values()]).encode() + b"\n")
    clips = blake2b("".join(f"{clip_id}\n" for clip_id in sorted(kept)).encode(), digest_size=16)
    return {
        "schema_version": SCHEMA_VERSION,
        "pack": guard.describe(config.pack),
        "rules": rules["config_hash"],
        "kept_clips": {"number": len(kept), "hash": clips.hexdigest()},
        "captions": captions.hexdigest(),
        "scores": score_configs(corpus, config),
    }


def plan(corpus: Corpus, config: CurateConfig, set_name: str, description: dict | None = None) -> list[str]:
    """Settles which clip goes into which shard, once; gives the names of the shards that are still to be written.

    Where none is left and the set has no manifest yet, it is finished: an empty set needs no worker.

    Args:
        corpus: the tables.
        config: how to pack.
        set_name: the rule set.
        description: what `describe` said just now, to spare a second look at every caption.

    Raises:
        ValueError: the configuration is wrong, a table is missing, or the plan that stands is for other clips.
    """
    files = set_files(corpus, set_name)
    config_hash = guard.config_hash(description or describe(corpus, config, set_name))
    if not files.plan_list.exists():
        check(config.pack)
        _write_plan(corpus, config, set_name, config_hash)
    planned = read_json(files.plan_list)
    if planned["config_hash"] != config_hash:
        raise ValueError(f"{files.root} is for other clips or settings; name another OUT, or say FORCE=pack")
    todo = [part for part in planned["parts"] if not index_path(files.tar(part)).exists()]
    if not todo and not files.manifest.exists():
        finish(corpus, set_name)
    return todo


def _write_plan(corpus: Corpus, config: CurateConfig, set_name: str, config_hash: str) -> None:
    files, rules = set_files(corpus, set_name), _rules(corpus, set_name)
    lengths: dict[str, int] = {}
    motion = corpus_motion(corpus, config, set_name)
    for part, rows in make_plan(corpus, config, set_name, config_hash, motion):
        write_table(files.plan(part), rows, PLAN)
        lengths[part] = len(rows)
    about = {"config_hash": config_hash, "kept": sum(lengths.values()), "kept_hash": rules["kept_hash"]}
    write_json(files.plan_list, {**about, "motion": asdict(motion), "parts": list(lengths)})


def finish(corpus: Corpus, set_name: str) -> Counts:
    """Writes the manifests of a set whose shards all stand, and proves that kept = packed + failed.

    Returns:
        `kept`, `train`, `val` and `failed`.

    Raises:
        RuntimeError: the sum does not hold.
        ValueError: a tar is missing.
    """
    files = set_files(corpus, set_name)
    planned = read_json(files.plan_list)
    counts: Counts = {"kept": planned["kept"]}
    for split in SPLITS:
        counts[split] = write_manifest(files.root / split, planned["config_hash"])["num_samples"]
    counts["failed"] = sum(num_rows(files.failures(part)) for part in planned["parts"])
    if counts["kept"] != sum(counts[part] for part in (*SPLITS, "failed")):
        raise RuntimeError(f"{files.root}: kept is not packed + failed: {counts}; say FORCE=pack to pack it anew")
    _warn(files.root, counts)
    write_json(files.manifest, {**counts, **{name: planned[name] for name in ("config_hash", "kept_hash")}})
    return counts


def _warn(root: Place, counts: Counts) -> None:
    if not counts["kept"]:
        logger.warning("%s is EMPTY: the rules kept no clip; there is nothing to train on", root)
    elif not counts["train"] or not counts["val"]:
        logger.warning("%s has %d samples to train on and %d to validate", root, counts["train"], counts["val"])
    if counts["failed"]:
        logger.warning("%s: %d of %d kept clips FAILED; see failures/", root, counts["failed"], counts["kept"])


def _rules(corpus: Corpus, set_name: str) -> dict:
    path = corpus.folder(f"verdicts/{set_name}") / "rules.json"
    if not path.exists():
        raise ValueError(f"{path} is missing: the set was not filtered to the end; run JOB=filter first")
    return read_json(path)


def _kept_ids(corpus: Corpus, set_name: str, part: str) -> pa.ChunkedArray:
    verdicts = corpus.read(f"verdicts/{set_name}", part, [KEY, "rejected_by"])
    return verdicts[KEY].filter(pc.equal(pc.list_value_length(verdicts["rejected_by"]), 0))
