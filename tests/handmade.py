"""Small tables written by hand, for the jobs that read tables."""

import pyarrow as pa

from curation.dedup import KINDS
from curation.tables import Corpus, part_name
from shards.schema import CLIP_ID, CLIPS, DEDUP, INPUTS, VERDICTS, VIDEOS, field

VIDEO = f"{7:020x}"


def clip_ids(count: int, first: int = 0) -> list[str]:
    """Ids of two-second clips of one video."""
    return [f"{VIDEO}-{2000 * i:09d}-{2000 * (i + 1):09d}" for i in range(first, first + count)]


def put_clips(corpus: Corpus, part: int, count: int, first: int = 0, **columns: list) -> list[str]:
    """Writes a part of `clips`, two seconds each and unlike each other where the columns say nothing else."""
    ids = clip_ids(count, first)
    plain = {"clip_id": ids, "video_id": [VIDEO] * count, "duration_s": [2.0] * count, "num_frames": [50] * count}
    plain |= {
        "width": [640] * count,
        "height": [360] * count,
        "content_hash": [f"{i + first:016x}" for i in range(count)],
    }
    rows = {name: pa.nulls(count, CLIPS.field(name).type) for name in CLIPS.names} | plain | columns
    corpus.write("clips", part_name(part), pa.table([rows[n] for n in CLIPS.names], schema=CLIPS), CLIPS)
    return ids


def put_scores(
    corpus: Corpus, part: int, name: str, ids: list[str], errors: list | None = None, **columns: list
) -> None:
    """Writes a part of a score table; lists of numbers are float32 scores, others (embeddings) keep their type."""
    scores = {
        key: values if isinstance(values, pa.Array) else pa.array(values, pa.float32())
        for key, values in columns.items()
    }
    error = pa.array(errors or [None] * len(ids), pa.string())
    fields = [field(key, values.type, f"score {key}") for key, values in scores.items()]
    schema = pa.schema([CLIP_ID, *fields, field(f"{name}_error", pa.string(), "why it is null")])
    corpus.write(f"scores/{name}", part_name(part), pa.table([ids, *scores.values(), error], schema=schema), schema)


def put_dedup(corpus: Corpus, part: int, ids: list[str], groups: list | None = None, ranks: list | None = None) -> None:
    """Writes a part of `scores/dedup`, of each kind the same groups; no clip has duplicates unless said."""
    groups, ranks = groups or [None] * len(ids), ranks or [None] * len(ids)
    columns = {f"{kind}_group": groups for kind in KINDS} | {f"{kind}_rank": ranks for kind in KINDS}
    rows = {name: pa.nulls(len(ids), DEDUP.field(name).type) for name in DEDUP.names} | {"clip_id": ids} | columns
    corpus.write("scores/dedup", part_name(part), pa.table([rows[n] for n in DEDUP.names], schema=DEDUP), DEDUP)


def put_verdicts(corpus: Corpus, part: int, name: str, ids: list[str], rejected_by: list[list[str]]) -> None:
    """Writes a part of a set's verdicts."""
    corpus.write(f"verdicts/{name}", part_name(part), pa.table([ids, rejected_by], schema=VERDICTS), VERDICTS)


def put_videos(corpus: Corpus, part: int, rows: list[dict]) -> None:
    """Writes a part of `videos` and, unless it stands, one of `inputs` with the same files."""
    full = [dict.fromkeys(VIDEOS.names) | {"path": f"/films/{row['video_id']}.mp4"} | row for row in rows]
    corpus.write("videos", part_name(part), pa.Table.from_pylist(full, schema=VIDEOS), VIDEOS)
    if not corpus.has("inputs", part_name(part)):
        put_inputs(corpus, part, [row["video_id"] for row in rows])


def put_inputs(corpus: Corpus, part: int, video_ids: list[str]) -> None:
    """Writes a part of `inputs`, one file for each id."""
    rows = [
        {"path": f"/films/{part}/{i}.mp4", "size_bytes": 1, "mtime_ns": 1, "video_id": v}
        for i, v in enumerate(video_ids)
    ]
    corpus.write("inputs", part_name(part), pa.Table.from_pylist(rows, schema=INPUTS), INPUTS)


def split_video(clips: int, **seconds: float) -> dict:
    """A row of `videos`: a video that gave so many two-second clips, and these seconds outside of them."""
    outside = {"transition_s": 0.0, "trimmed_s": 0.0, "short_s": 0.0, "failed_s": 0.0} | seconds
    total = 2.0 * clips + sum(outside.values())
    return {"video_id": VIDEO, "status": "ok", "clips_s": 2.0 * clips, "duration_s": total, **outside}
