"""Which side each video stands on, `train` or `val`, in all sets of a corpus: no video and no duplicates on both.

A side depends on the clips of the corpus, kept or not, and on what stands in any of its sets. Of the videos that do not
stand, those that are related go together; so the sides that one set gives are those that the others would have given,
and the order in which sets are packed does not matter (where all have one `val_share`; else the first one's counts).
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from hashlib import blake2b

from curation.joined import Joined
from shards.schema import DEDUP

logger = logging.getLogger(__name__)

GROUP = DEDUP.field("duplicate_group").name
GIANT_SHARE, GIANT_MIN_CLIPS = 0.2, 100
TORN = "duplicates on both sides: other clips of its video, or duplicates, stand in train as well as in val"
"""Why a clip that comes later can have no side."""


def find_sides(
    wide: Joined, set_name: str, of_clips: Sequence[str], standing: Mapping[str, str], val_share: float
) -> dict[str, str | None]:
    """Side of each video that has clips new to a set; None where any side would let train and val share something.

    What stands does not move. Of all others, kept or not, those that are related, directly or through each other, go
    together: where a duplicate of one of them stands, else by a hash. One with duplicates on both sides has no side,
    and joins no others; nor have those that touch both sides together.

    Args:
        wide: all clips of the corpus, with their duplicates.
        set_name: the rule set, for messages.
        of_clips: the video of each clip that is new.
        standing: side of each video of which any set of the corpus holds clips.
        val_share: 0..1.
    """
    near = _near(wide, standing) if standing else {}
    torn = {video_id for video_id, sides in near.items() if len(sides) > 1}
    kin = relatives(wide, standing.keys() | torn)
    _warn_of_giant(set_name, [kin.get(video_id, video_id) for video_id in of_clips])
    met: dict[str, set[str]] = defaultdict(set)
    for video_id, sides in near.items():
        met[kin.get(video_id, video_id)] |= sides
    found: dict[str, str | None] = {}
    for video_id in set(of_clips):
        identity = kin.get(video_id, video_id)
        own = standing.get(video_id) or ("val" if is_val(identity, val_share) else "train")
        sides = met.get(identity) or {own}
        found[video_id] = next(iter(sides)) if len(sides) == 1 else None
    return found


def _near(wide: Joined, standing: Mapping[str, str]) -> dict[str, set[str]]:
    """Video that has duplicates -> the sides on which it, or one of them, stands; nothing where none does."""
    of_group: dict[str, set[str]] = defaultdict(set)
    for video_id, group in _grouped(wide):
        if video_id in standing:
            of_group[group].add(standing[video_id])
    near: dict[str, set[str]] = defaultdict(set)
    for video_id, group in _grouped(wide):
        if group in of_group:
            near[video_id] |= of_group[group]
    return near


def is_val(identity: str, val_share: float) -> bool:
    """Whether the videos of this identity are for validation, whatever the set and the seed.

    Args:
        identity: the smallest id among a video and those related to it; see `relatives`.
        val_share: 0..1.
    """
    digest = blake2b(identity.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 < val_share


def relatives(wide: Joined, without: Container[str] = ()) -> dict[str, str]:
    """Video -> the smallest id among all videos that duplicates join to it, directly or through others.

    Counts every clip, kept or not, so that all sets part their videos alike. A video without duplicates is left out.
    It stands for its clips: equal clips are of related videos, neighbouring ones of one video.

    Args:
        wide: all clips with their duplicates.
        without: videos that do not count.
    """
    members: dict[str, str] = {}
    parents: dict[str, str] = {}
    for video_id, group in _grouped(wide):
        if video_id not in without:
            low, high = sorted((_root(parents, video_id), _root(parents, members.setdefault(group, video_id))))
            parents[high] = low
    return {video_id: _root(parents, video_id) for video_id in parents}


def _grouped(wide: Joined) -> Iterator[tuple[str, str]]:
    """Videos and the groups of duplicates that their clips are in; in each part a pair comes once."""
    for part in wide.parts():
        rows = wide.read(part, ["video_id", GROUP])
        rows = rows.filter(rows[GROUP].is_valid()).group_by(["video_id", GROUP], use_threads=False).aggregate([])
        yield from zip(rows["video_id"].to_pylist(), rows[GROUP].to_pylist(), strict=True)


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
