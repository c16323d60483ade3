"""Job 5: cuts and encodes the kept clips of a set and writes them as shuffled shards, for training and validation.

A clip that cannot be cut is listed with its reason and left out; the others go on. A set grows by generations.
"""

import logging
from collections import Counter
from dataclasses import asdict
from hashlib import blake2b

from curation import guard
from curation.block import read_block_list, refuse_older_verdicts
from curation.config import CurateConfig
from curation.engine import Counts
from curation.generations import CHOSEN, Standing, outdated, read_standing, survey
from curation.joined import KEY
from curation.motion_bucket import MotionBuckets
from curation.pack_plan import PLAN, corpus_motion, make_plan, score_configs
from curation.pack_worker import PackTask, encode_settings, picture_settings
from curation.set_files import SetFiles, set_files
from curation.tables import Corpus
from shards.audio import lost_sounds
from shards.cut_picture import check_picture
from shards.encode import check_settings
from shards.manifest import MANIFEST, MAX_GENERATIONS, SPLITS
from shards.places import Place
from shards.schema import FAILURES, SCHEMA_VERSION
from shards.store import num_rows, parquet_file, read_json, write_json, write_table
from shards.writer import index_path, write_manifest

logger = logging.getLogger(__name__)

__all__ = ["PackTask", "check", "describe", "finish", "is_outdated", "plan"]
TOLD = ("config_hash", "kept", "kept_hash", "no_longer_kept")
"""What the manifest of a set tells of its plan."""


def check(config: CurateConfig, set_name: str) -> None:
    """Finds what is wrong with the configuration of a set before any work.

    Raises:
        ValueError: names the key.
    """
    settings, key = config.pack_of(set_name), config.pack_key(set_name)
    if settings.samples_per_shard < 1:
        raise ValueError(f"{key}.samples_per_shard: {settings.samples_per_shard} is not at least 1")
    if not 0 <= settings.val_share <= 1:
        raise ValueError(f"{key}.val_share: {settings.val_share} is no share; give a number from 0 to 1")
    try:
        if settings.mode == "images":
            check_picture(picture_settings(settings))
        else:
            check_settings(encode_settings(settings))
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def describe(corpus: Corpus, config: CurateConfig, set_name: str) -> dict:
    """All that each sample of a set depends on, as JSON: how it is packed, and how its scores were made.

    Rules, the clips that they keep, and their captions are facts of a generation.

    Raises:
        ValueError: the set has no verdicts, or its verdicts do not know the block list as it is now.
    """
    settings = config.pack_of(set_name)
    refuse_older_verdicts(corpus, set_name, _rules(corpus, set_name), read_block_list(config.block_list))
    described = guard.describe(settings)
    assert isinstance(described, dict)
    return {
        "schema_version": SCHEMA_VERSION,
        "pack": {key: value for key, value in described.items() if key not in settings.idle_keys()},
        "scores": score_configs(corpus, config),
    }


def is_outdated(corpus: Corpus, config: CurateConfig, set_name: str) -> bool:
    """Whether shards of these settings stand of clips that are not kept any more, or with other captions."""
    standing = read_standing(files := set_files(corpus, set_name))
    if not standing.number:
        return False
    found = survey(corpus, config.scorers, set_name, standing)
    return found.num_gone > 0 or outdated(read_json(files.plan_list), found) is not None


def plan(corpus: Corpus, config: CurateConfig, set_name: str, description: dict | None = None) -> list[str]:
    """Settles which clip goes into which shard, once; gives the names of the shards that are still to be written.

    Clips that are kept and do not stand yet make a new generation. Where no shard is left to write and the manifest
    tells less than the plan, the set is finished: an empty set needs no worker.

    Args:
        corpus: the tables.
        config: how to pack.
        set_name: the rule set.
        description: what `describe` said just now.

    Raises:
        ValueError: the configuration is wrong or not that of the set, a table is missing, or what stands may not stay.
    """
    files = set_files(corpus, set_name)
    config_hash = guard.config_hash(description or describe(corpus, config, set_name))
    standing = read_standing(files)
    planned = read_json(files.plan_list) if standing.number else {"config_hash": config_hash, "generations": []}
    if planned["config_hash"] != config_hash:
        raise ValueError(f"{files.root} was made with other settings; name another OUT, or say FORCE=pack")
    found = survey(corpus, config.scorers, set_name, standing)
    if reason := outdated(planned, found):
        raise ValueError(f"{files.root} {reason}; say FORCE=pack to pack it anew, or bring back what was")
    told = planned | {"no_longer_kept": found.num_gone, "kept_hash": _rules(corpus, set_name)["kept_hash"]}
    if found.num_new or not standing.number:
        check(config, set_name)
        told = _add_generation(corpus, config, set_name, told, standing, found.captions[-1])
    if told != planned:
        write_json(files.plan_list, told)
    _warn_of_gone(files.root, told)
    todo = [part for part in files.parts() if not index_path(files.tar(part)).exists()]
    if not todo and not _is_finished(files):
        finish(corpus, set_name)
    return todo


def _add_generation(
    corpus: Corpus, config: CurateConfig, set_name: str, planned: dict, standing: Standing, captions_hash: str
) -> dict:
    """Writes the plan of the next generation; gives `plan.json` with it."""
    files, number = set_files(corpus, set_name), standing.number
    if number >= MAX_GENERATIONS:
        raise ValueError(f"{files.root} has {number} generations, as many as it can; say FORCE=pack to make them one")
    known = planned.get("motion")
    motion = MotionBuckets(**known) if known else corpus_motion(corpus, config, set_name)
    made = make_plan(corpus, config, set_name, planned["config_hash"], motion, standing)
    for part, rows in made.parts():
        write_table(files.plan(part), rows, PLAN)
    write_table(files.chosen(number), made.chosen(), CHOSEN)
    ids = "".join(f"{clip_id}\n" for clip_id in sorted(made.kept["key"].to_pylist()))
    generation = {
        "number": number,
        "config_hash": planned["config_hash"],
        "rules_hash": _rules(corpus, set_name)["config_hash"],
        "kept": len(made.kept),
        "clips_hash": blake2b(ids.encode(), digest_size=16).hexdigest(),
        "captions_hash": captions_hash,
        "parts": list(made.shards),
    }
    generations = [*planned["generations"], generation]
    kept = sum(each["kept"] for each in generations)
    return planned | {"motion": asdict(motion), "kept": kept, "generations": generations}


def _is_finished(files: SetFiles) -> bool:
    """Whether the manifest tells all that the plan does."""
    planned, told = read_json(files.plan_list), read_json(files.manifest) if files.manifest.exists() else {}
    return all(told.get(name) == planned[name] for name in TOLD)


def finish(corpus: Corpus, set_name: str) -> Counts:
    """Writes the manifests of a set whose shards all stand, and proves that kept = packed + failed.

    Returns:
        `kept`, `train`, `val` and `failed`, over all generations. Clips that no shard takes have failed.

    Raises:
        RuntimeError: the sum does not hold.
        ValueError: a tar is missing.
    """
    files = set_files(corpus, set_name)
    planned = read_json(files.plan_list)
    counts: Counts = {"kept": planned["kept"]}
    files.manifest.unlink(missing_ok=True)  # until both splits are told of: one of them may be a generation ahead
    for split in SPLITS:
        folder = files.root / split
        standing = read_json(folder / MANIFEST)["shards"] if (folder / MANIFEST).exists() else []
        counts[split] = write_manifest(folder, planned["config_hash"], standing)["num_samples"]
    counts["failed"] = sum(num_rows(files.failures(part)) for part in files.parts())
    counts["failed"] += sum(_list_unfit(files, generation["number"]) for generation in planned["generations"])
    if counts["kept"] != sum(counts[part] for part in (*SPLITS, "failed")):
        raise RuntimeError(f"{files.root}: kept is not packed + failed: {counts}; say FORCE=pack to pack it anew")
    _warn(files.root, counts)
    _warn_of_lost_sound(files)
    generations = len(planned["generations"])
    write_json(files.manifest, {**counts, **{name: planned[name] for name in TOLD}, "generations": generations})
    return counts


def _list_unfit(files: SetFiles, generation: int) -> int:
    """Writes the clips that no shard takes, if there are any, beside those that failed; gives their number."""
    with parquet_file(files.chosen(generation)) as chosen:
        rows = chosen.read([KEY, "error"])
    unfit = rows.filter(rows["error"].is_valid())
    if len(unfit) and not files.unfit(generation).exists():
        write_table(files.unfit(generation), unfit, FAILURES)
    return len(unfit)


def _warn_of_gone(root: Place, planned: dict) -> None:
    if gone := planned["no_longer_kept"]:
        logger.warning(
            "%s: %d of its %d clips are NO LONGER KEPT by the rules and stay; FORCE=pack makes it anew without them",
            root,
            gone,
            planned["kept"],
        )


def _warn(root: Place, counts: Counts) -> None:
    if not counts["kept"]:
        logger.warning("%s is EMPTY: the rules kept no clip; there is nothing to train on", root)
    elif not counts["train"] or not counts["val"]:
        logger.warning("%s has %d samples to train on and %d to validate", root, counts["train"], counts["val"])
    if counts["failed"]:
        logger.warning("%s: %d of %d kept clips FAILED; see failures/", root, counts["failed"], counts["kept"])


def _warn_of_lost_sound(files: SetFiles) -> None:
    reasons: Counter[str] = Counter()
    indexes = (path for split in SPLITS for path in sorted((files.root / split).glob("*.parquet")))
    for path in indexes:  # of a part there may be several
        with parquet_file(path) as index:
            reasons += lost_sounds(index.read(["audio"])["audio"])
    if reasons:
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        logger.warning("%s: %d clips LOST THEIR SOUND: %s", files.root, reasons.total(), told)


def _rules(corpus: Corpus, set_name: str) -> dict:
    path = corpus.folder(f"verdicts/{set_name}") / "rules.json"
    if not path.exists():
        raise ValueError(f"{path} is missing: the set was not filtered to the end; run JOB=filter first")
    return read_json(path)
