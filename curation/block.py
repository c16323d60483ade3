"""The block list: videos and clips that may not be used, e.g. after a takedown: never split, and never packed."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

import logging
import re
from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc

from curation.tables import Corpus
from shards.places import name_in, place, reaching

logger = logging.getLogger(__name__)

REASON = "blocked"
"""Status of a blocked video in `videos`, and why `filter` rejects the clips of one that was split before."""
ERROR = "on the block list"
IDS = re.compile(r"[0-9a-f]{20}(-\d+-\d+)?")
COMMENT = re.compile(r"(^|\s)#.*")


def read_block_list(source: str | None) -> frozenset[str]:
    """The entries of a text file, one a line: ids of videos and clips as they are, paths from the root on, addresses.

    What follows a `#` at the start of a line or after a space says nothing. Relative paths count from the folder.

    Args:
        source: path or address of the file; None for no entries.

    Raises:
        ValueError: the file cannot be read.
    """
    if source is None:
        return frozenset()
    where = place(source)
    try:
        with reaching(where):
            lines = where.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or error
        raise ValueError(f"block_list: {source} cannot be read: {told}") from error
    entries = [entry for line in lines if (entry := COMMENT.sub("", line).strip())]
    folder = where.absolute().parent
    return frozenset(e.lower() if IDS.fullmatch(e.lower()) else name_in(folder, e) for e in entries)


def digest(entries: frozenset[str]) -> str | None:
    """Tells one block list from another: 16 hex digits, whatever the order of its lines; None for an empty one."""
    return blake2b("\n".join(sorted(entries)).encode(), digest_size=8).hexdigest() if entries else None


def blocked_videos(corpus: Corpus, entries: frozenset[str]) -> frozenset[str]:
    """Ids of the blocked videos among the inputs: all byte copies of a file share its id, and so its fate."""
    blocked: set[str] = set()
    for part in corpus.parts("inputs") if entries else ():
        rows = corpus.read("inputs", part, ["path", "video_id"])
        hit = pc.or_(_is_entry(rows["path"], entries), _is_entry(rows["video_id"], entries))
        blocked.update(rows["video_id"].filter(hit).to_pylist())
    if entries:
        logger.info("block list: its %d entries name %d videos of this corpus", len(entries), len(blocked))
    return frozenset(blocked)


def is_blocked(clips: pa.Table, entries: frozenset[str], videos: frozenset[str]) -> pa.ChunkedArray:
    """Which clips may not be used: those of a blocked video, and those blocked themselves; bool.

    Args:
        clips: `clip_id` and `video_id`.
        entries: of the block list.
        videos: ids of the blocked videos.
    """
    return pc.or_(_is_entry(clips["video_id"], videos), _is_entry(clips["clip_id"], entries))


def refuse_older_verdicts(corpus: Corpus, set_name: str, rules: dict, entries: frozenset[str]) -> None:
    """Holds `pack` back from clips that were blocked after their set was filtered.

    Args:
        corpus: the tables.
        set_name: the rule set.
        rules: its `rules.json`.
        entries: of the block list as it is now.

    Raises:
        ValueError: the verdicts were given with another block list.
    """
    if rules.get("block_list") != digest(entries):
        raise ValueError(
            f"{corpus.folder(f'verdicts/{set_name}')} was made with another block list; run JOB=filter first, and "
            "where the set is packed already, FORCE=pack"
        )


def _is_entry(column: pa.ChunkedArray, entries: frozenset[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(sorted(entries), pa.string()))
