"""Makes a packed set of a user's pictures: looked at, planned, written; the bytes of a picture stay as they are.

Each step finds what stands of it. What a picture is refused for is recorded; trouble of the disk stops the run.
"""

import logging
from collections.abc import Iterator

from curation import guard
from curation.pictures.config import PicturesConfig
from curation.pictures.entry import Piece
from curation.pictures.listing import Listing
from curation.pictures.look import id_of, read_piece
from curation.pictures.plan import write_plan
from curation.pictures.scan import FOUND, OF_SAMPLE, scan
from curation.progress import Screen
from curation.set_files import SetFiles
from curation.tables import Corpus
from shards.manifest import MANIFEST, SPLITS
from shards.places import Place, absolute, place
from shards.sample import Sample
from shards.schema import SAMPLE, SCHEMA_VERSION
from shards.store import parquet_file, read_json, remove_temporaries, write_json
from shards.writer import index_path, write_manifest, write_shard

logger = logging.getLogger(__name__)

PLAN = "plan"
OURS = (MANIFEST, *SPLITS, "failures", PLAN)
"""What this makes in its folder, that which is built on others first."""
COUNTS = ("found", "kept", "copies", "failed", "failed_by")
WAY_OUT = "Bring the old ones back, name another OUT, or say --force: it moves the set aside and packs it anew"


def pack_pictures(root: Place, config: PicturesConfig, force: bool, screen: Screen) -> dict:
    """Packs, or goes on where a killed run stopped; whoever calls holds the folder alone.

    Returns:
        The set's manifest: `found` = `train` + `val` + `copies` + `failed`.

    Raises:
        ValueError: the pictures or settings are not those of the set that stands, or there are none; says the way out.
        OSError: the disk or the network fails.
        RuntimeError: the sum does not hold.
    """
    corpus, files = Corpus(root), SetFiles(root)
    _refuse_foreign(root)
    listing = _listing(root, config)
    settings = {"schema_version": SCHEMA_VERSION, **config.decides()}
    hashes = {"config_hash": guard.config_hash(settings), "source_hash": listing.digest()}
    if force and (aside := guard.move_aside(corpus, OURS)):
        screen.say(f"--force: moved the old set to {aside}")
    _claim(corpus, {"settings": settings, "pictures": hashes["source_hash"]})
    for name in OURS[1:]:
        remove_temporaries(root / name)
    if not files.plan_list.exists():
        scan(files, listing, config, lambda number: screen.say(f"pictures: {number} looked at"))
        write_plan(files, config, hashes)
    todo = [part for part in files.parts() if not index_path(files.tar(part)).exists()]
    if not todo and files.manifest.exists():
        screen.say(f"pictures: nothing to do, all shards stand in {root}")
        return read_json(files.manifest)
    with screen.follow("pack pictures", len(todo), "shards") as progress:
        for part in todo:
            index = write_shard(files.tar(part), _samples(files, part, hashes["config_hash"]))
            progress.done(part, {"shards": 1, "pictures": len(index)})
    return _finish(files, hashes, screen)


def _listing(root: Place, config: PicturesConfig) -> Listing:
    source = absolute(place(config.pictures))
    if f"{root}/".startswith(f"{str(source).rstrip('/')}/"):
        raise ValueError(f"OUT={root} lies in {source}, so its own tars would be taken for pictures; name another OUT")
    return Listing(config.pictures)


def _refuse_foreign(root: Place) -> None:
    """Shards of clips, say, are neither written over nor moved aside."""
    if not (root / PLAN / "config.json").exists() and any((root / name).exists() for name in (MANIFEST, *SPLITS)):
        raise ValueError(f"{root} holds something that this command has not made; name another OUT")


def _claim(corpus: Corpus, description: dict) -> None:
    """Writes what the set is made of before anything else, or compares."""
    changes = guard.changes(corpus, PLAN, description)
    if changes:
        raise ValueError(f"{corpus.root} was packed from other pictures or settings: {'; '.join(changes)}. {WAY_OUT}")
    guard.claim(corpus, "pictures", PLAN, description)


def _samples(files: SetFiles, part: str, config_hash: str) -> Iterator[Sample]:
    """The pictures of a shard; one is held at a time."""
    with parquet_file(files.plan(part)) as plan:
        rows = plan.read(FOUND.names).to_pylist()
    made = {"num_frames": 1, "made_by": "brought", "score_configs": {}, "config_hash": config_hash}
    for row in rows:
        told = {name: row[name] for name in OF_SAMPLE}
        told |= {"key": row["video_id"], "scores": dict(row["scores"])}
        yield Sample(row["video_id"], _bytes_of(row), dict.fromkeys(SAMPLE.names) | made | told, row["extension"])


def _bytes_of(row: dict) -> bytes:
    piece = Piece(row["file"], row["offset_bytes"], row["size_bytes"])
    try:
        data = read_piece(piece, row["size_bytes"])
    except ValueError as error:
        raise ValueError(f"{row['path']} has changed since it was looked at ({error}). {WAY_OUT}") from error
    if id_of(data) != row["video_id"]:
        raise ValueError(f"{row['path']} has changed since it was looked at. {WAY_OUT}")
    return data


def _finish(files: SetFiles, hashes: dict[str, str], screen: Screen) -> dict:
    """Writes the manifests once all shards stand, and proves that every picture is accounted for."""
    planned = read_json(files.plan_list)
    counts = {split: write_manifest(files.root / split, hashes["config_hash"])["num_samples"] for split in SPLITS}
    told = {name: planned[name] for name in COUNTS}
    sums = {**counts, "copies": told["copies"], "failed": told["failed"]}
    words = f"{told['found']} found = {' + '.join(f'{count} {name}' for name, count in sums.items())}"
    if told["found"] != sum(sums.values()):
        raise RuntimeError(f"{files.root}: a sum does not hold: {words}; say --force to pack anew")
    manifest = {**hashes, **told, **counts, "generations": 1}
    write_json(files.manifest, manifest)
    screen.say(f"pictures: {words}")
    for reason, count in told["failed_by"].items():
        screen.say(f"  {count} not packed: {reason}")
    if told["failed"] or told["copies"]:
        screen.say(f"  each is listed in {files.root / 'failures'}")
    if not counts["train"] or not counts["val"]:
        logger.warning("%s has %d pictures to train on and %d to validate", files.root, counts["train"], counts["val"])
    return manifest
