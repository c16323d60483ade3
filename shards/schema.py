"""The tables every corpus has and the contract of a sample, as pyarrow schemas.

Each field carries its meaning (`doc`) and its unit in the field metadata. A score's columns are declared by its scorer.
Seconds count from the first frame of the video; pts are the container's own ticks. Spans are half-open.
"""

import pyarrow as pa

SCHEMA_VERSION = 2


def field(name: str, dtype: pa.DataType, doc: str, unit: str = "") -> pa.Field:
    """One column with its meaning and unit in the metadata keys `doc` and `unit`."""
    return pa.field(name, dtype, metadata={"doc": doc, "unit": unit})


VIDEO_ID = field("video_id", pa.string(), "20 hex digits of BLAKE2b over the file's bytes; equal for byte copies")
CLIP_ID = field("clip_id", pa.string(), "{video_id}-{start_ms:09d}-{end_ms:09d}; also the sample's key")
SPAN = [
    field("start_pts", pa.int64(), "first frame of the clip", "ticks of the time base"),
    field("end_pts", pa.int64(), "end of the clip, exclusive", "ticks of the time base"),
    field("time_base_num", pa.int32(), "numerator of the time base", "s"),
    field("time_base_den", pa.int32(), "denominator of the time base", "1"),
]
SIZE = [
    field("width", pa.int32(), "width as displayed: rotation and pixel aspect applied", "px"),
    field("height", pa.int32(), "height as displayed: rotation and pixel aspect applied", "px"),
]
PTS_SPAN = pa.struct([pa.field("start_pts", pa.int64()), pa.field("end_pts", pa.int64())])
SECONDS_SPAN = pa.struct([pa.field("start_s", pa.float64()), pa.field("end_s", pa.float64())])
CAPTION = pa.struct([pa.field("text", pa.string()), pa.field("source", pa.string())])
SPAN_CAPTION = pa.struct([*SECONDS_SPAN, *CAPTION])

INPUTS = pa.schema(
    [
        field("path", pa.string(), "where the file lies: a path or an address"),
        field("size_bytes", pa.int64(), "size when it was listed; null if it could not be read", "bytes"),
        field("mtime_ns", pa.int64(), "modification time when it was listed; null if unknown, or if etag is set", "ns"),
        field("etag", pa.string(), "what the server called the content when it was listed; null for local files"),
        VIDEO_ID,
        field(
            "spans", pa.list_(SECONDS_SPAN), "the user's spans; null = the whole file, an end of null = its end", "s"
        ),
        field("captions", pa.list_(SPAN_CAPTION), "the user's captions, each of its span; null = of the whole file"),
    ]
)

VIDEOS = pa.schema(
    [
        VIDEO_ID,
        field("path", pa.string(), "the file that was read; its byte copies are in `inputs`"),
        field(
            "status",
            pa.string(),
            "ok | failed (final) | quarantined (its reader died twice) | blocked (on the block list)",
        ),
        field("error", pa.string(), "why it is not ok; null when it is"),
        field("container", pa.string(), "libav's name of the container format"),
        field("codec", pa.string(), "codec of the video stream"),
        field("num_video_streams", pa.int32(), "streams of moving pictures, cover art left out"),
        field(
            "stream_index", pa.int32(), "the one that was read, as libav numbers all streams: the one of most pixels"
        ),
        field("pixel_format", pa.string(), "pixel format of the first frame"),
        *SIZE,
        field("is_mirrored", pa.bool_(), "stored frames are to be mirrored left to right before they are turned"),
        field("rotation_deg", pa.int32(), "clockwise turn that brings stored frames upright", "degrees"),
        field("has_alpha", pa.bool_(), "the video has an alpha channel, which is left out"),
        field(
            "color_transfer", pa.int32(), "transfer curve, first frame; 2 = not told, 16 = PQ, 18 = HLG", "ITU-T H.273"
        ),
        field("color_primaries", pa.int32(), "primaries, first frame; 2 = not told, 1 = BT.709", "ITU-T H.273"),
        field(
            "color_space", pa.int32(), "matrix, first frame; 2 = not told, 1 = BT.709, 5 and 6 = BT.601", "ITU-T H.273"
        ),
        field("color_range", pa.int32(), "0 = not told, 1 = limited, 2 = full; first frame"),
        field(
            "interlaced_share", pa.float32(), "share of frames that are interlaced; they are not deinterlaced", "0..1"
        ),
        field("fps", pa.float64(), "frames over seconds; an average where the rate varies", "1/s"),
        field("num_frames", pa.int64(), "frames decoded", "frames"),
        field("num_decode_errors", pa.int64(), "packets that did not decode; their frames are missing", "packets"),
        field("time_base_num", pa.int32(), "numerator of the time base", "s"),
        field("time_base_den", pa.int32(), "denominator of the time base", "1"),
        field("first_pts", pa.int64(), "first frame in presentation order", "ticks of the time base"),
        field("end_pts", pa.int64(), "end of the last frame", "ticks of the time base"),
        field("cuts_pts", pa.list_(pa.int64()), "first frame of each new scene", "ticks of the time base"),
        field("transitions_pts", pa.list_(PTS_SPAN), "gradual transitions, half-open", "ticks of the time base"),
        field(
            "suspected_pts",
            pa.list_(PTS_SPAN),
            "what may be a transition and is kept out of clips, half-open",
            "ticks of the time base",
        ),
        field("duration_s", pa.float64(), "end of the last frame minus first frame, as decoded", "s"),
        field("clips_s", pa.float64(), "footage inside clips", "s"),
        field("transition_s", pa.float64(), "footage inside gradual transitions, suspected ones too", "s"),
        field(
            "trimmed_s",
            pa.float64(),
            "footage at both sides of scenes, outside the user's spans, or between keyframes",
            "s",
        ),
        field("short_s", pa.float64(), "footage in scenes too short for a clip", "s"),
        field(
            "failed_s", pa.float64(), "footage between frames whose packets did not decode, or came out damaged", "s"
        ),
        field("span_problems", pa.list_(pa.string()), "the user's spans that gave no clip, or were shortened, and why"),
    ]
)

CLIPS = pa.schema(
    [
        CLIP_ID,
        VIDEO_ID,
        *SPAN,
        field("start_s", pa.float64(), "first frame, counted from the video's first", "s"),
        field("end_s", pa.float64(), "end, counted from the video's first frame", "s"),
        field("duration_s", pa.float64(), "end_s - start_s", "s"),
        field("num_frames", pa.int32(), "frames in the span", "frames"),
        field("fps", pa.float64(), "num_frames / duration_s", "1/s"),
        *SIZE,
        field(
            "is_hdr", pa.int8(), "1 where the transfer curve is PQ or HLG, else 0; pictures are not tone-mapped", "0, 1"
        ),
        field(
            "interlaced_share", pa.float32(), "share of frames that are interlaced; they are not deinterlaced", "0..1"
        ),
        field("luma_mean", pa.float32(), "mean luma over all frames, full range", "0..255"),
        field("luma_std", pa.float32(), "spread of luma in a 48x27 thumbnail, mean over all frames", "0..255"),
        field("frame_difference", pa.float32(), "mean absolute change of luma from thumbnail to thumbnail", "0..255"),
        field("black_share", pa.float32(), "share of frames of which 98 % or more are darker than luma 32", "0..1"),
        field("sharpness", pa.float32(), "variance of the Laplacian of full-size luma, median over proxy instants"),
        field(
            "blockiness", pa.float32(), "step of luma across 8x8 blocks over that inside; median over proxy instants"
        ),
        field("content_hash", pa.string(), "16 hex digits over every frame's luma thumbnail; a remux keeps it"),
    ]
)

CAPTIONS = pa.schema(
    [
        CLIP_ID,
        field("text", pa.string(), "a caption that covers at least half of the clip"),
        field("source", pa.string(), "who wrote it, as the user named it"),
    ]
)

PROXIES = pa.schema(
    [
        VIDEO_ID,
        field("pts", pa.int64(), "the frame's time", "ticks of the time base"),
        field("time_s", pa.float64(), "the frame's time, counted from the video's first frame", "s"),
        field("sharpness", pa.float32(), "variance of the Laplacian of the full-size luma plane"),
        field("blockiness", pa.float32(), "step of luma across the borders of 8x8 blocks over that inside them"),
        field("jpeg", pa.binary(), "the frame as displayed, short side at most the configured size"),
    ]
)

DEDUP = pa.schema(
    [
        CLIP_ID,
        field("exact_group", pa.string(), "id of the best of the clips with equal frames; null when it stands alone"),
        field("exact_rank", pa.int32(), "0 is the best of its exact group, by `dedup.rank`, then by id"),
        field("perceptual_group", pa.string(), "the same, with clips that show the same footage encoded or cut anew"),
        field("perceptual_rank", pa.int32(), "0 is the best of its perceptual group"),
        field(
            "perceptual_similarity",
            pa.float32(),
            "1 - share of bits in which frame hashes differ, against the clip that it joined; null for the best",
            "0..1",
        ),
        field("duplicate_group", pa.string(), "the same, of all kinds: with clips whose embeddings are almost equal"),
        field("duplicate_rank", pa.int32(), "0 is the best of its group of all kinds"),
        field("semantic_similarity", pa.float32(), "cosine against the clip that it joined by its embedding", "-1..1"),
    ]
)

VERDICTS = pa.schema([CLIP_ID, field("rejected_by", pa.list_(pa.string()), "every rule it failed; empty = kept")])

SAMPLE = pa.schema(
    [
        field(
            "key", pa.string(), "the clip's id, or that of a picture that a user brought; names the members of the tar"
        ),
        VIDEO_ID,
        field("captions", pa.list_(CAPTION), "every caption of the clip; the txt member holds the first"),
        field("fps", pa.float64(), "frames a second of the packed video; null of a picture", "1/s"),
        field("num_frames", pa.int32(), "frames of the packed video; 1 of a picture", "frames"),
        field(
            "duration_s", pa.float64(), "length of the clip in the source; null of a picture that a user brought", "s"
        ),
        field("width", pa.int32(), "of the packed video or picture", "px"),
        field("height", pa.int32(), "of the packed video or picture", "px"),
        field("scores", pa.map_(pa.string(), pa.float32()), "every numeric score of the clip by column name"),
        field(
            "motion_bucket",
            pa.int32(),
            "rank of the clip's motion among all clips of the corpus; null where it has no score of motion",
            "0..255",
        ),
        field(
            "bucket",
            pa.string(),
            "frames x height x width @ frames a second of the bucket it was packed for, as 16x320x576@8, or 1x320x576"
            " of pictures; null without",
        ),
        field("path", pa.string(), "the source file; <tar>!<member> where a picture lay in a tar"),
        *SPAN,
        field(
            "made_by",
            pa.string(),
            "copy; encode; encode: and why its packets could not be copied; image: and which frame; brought: a user's"
            " picture as it was",
        ),
        field(
            "audio",
            pa.string(),
            "codec of the sound in the packed video, as aac; none: the clip has no sound; dropped: and why, where its"
            " sound was left out; null where sound was not asked for",
        ),
        field("config_hash", pa.string(), "hash of the configuration that made the sample"),
        field(
            "score_configs",
            pa.map_(pa.string(), pa.string()),
            "by score table, the hash of its configuration, weights included; empty where that is unknown",
        ),
    ]
)

MEMBER = pa.struct(
    [
        pa.field("extension", pa.string()),
        pa.field("offset_bytes", pa.int64()),
        pa.field("size_bytes", pa.int64()),
        pa.field("crc32", pa.uint32()),
    ]
)
INDEX = pa.schema(
    [*SAMPLE, field("members", pa.list_(MEMBER), "where each member's bytes lie in the tar, and their CRC-32", "bytes")]
)

FAILURES = pa.schema([CLIP_ID, field("error", pa.string(), "why the kept clip could not be packed")])

PICTURE_FAILURES = pa.schema(
    [
        field("path", pa.string(), "the picture, as the user named it; <tar>!<member> in a tar"),
        field("video_id", pa.string(), "20 hex digits over its bytes; null where it was not to be had"),
        field("error", pa.string(), "why it was not packed, or whose copy it is"),
    ]
)

TABLES = {
    "inputs": INPUTS,
    "videos": VIDEOS,
    "clips": CLIPS,
    "captions": CAPTIONS,
    "proxies": PROXIES,
    "scores/dedup": DEDUP,
    "verdicts/<set>": VERDICTS,
    "shards/<set>/<split>": INDEX,
    "shards/<set>/failures": FAILURES,
    "<pictures>/failures": PICTURE_FAILURES,
}


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the schema's columns, order, types and metadata.

    Raises:
        ValueError: a column is missing, is not in the schema, or cannot be cast without loss.
    """
    missing, extra = set(schema.names) - set(table.column_names), set(table.column_names) - set(schema.names)
    if missing or extra:
        raise ValueError(f"table does not fit its schema: missing {sorted(missing)}, unexpected {sorted(extra)}")
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"table does not fit its schema: {error}") from error


def from_rows(rows: list[dict], schema: pa.Schema) -> pa.Table:
    """A table from dicts with exactly the schema's keys."""
    for row in rows:
        if set(row) != set(schema.names):
            raise ValueError(f"row does not fit its schema: {sorted(set(row) ^ set(schema.names))}")
    return pa.Table.from_pylist(rows, schema=schema)
