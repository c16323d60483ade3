"""Samples made by hand."""

from shards.sample import Sample

VIDEO_ID = f"{9:020x}"


def make_sample(number: int, video: bytes | None = None, **fields: object) -> Sample:
    """Sample `number`; its "video" is that number of bytes over 600 unless given."""
    key = f"{VIDEO_ID}-{1000 * number:09d}-{1000 * (number + 1):09d}"
    meta = {
        "key": key,
        "video_id": VIDEO_ID,
        "captions": [{"text": f"Straße {number}", "source": "test"}, {"text": "second", "source": None}],
        "fps": 25.0,
        "num_frames": 25,
        "duration_s": 1.0,
        "width": 64,
        "height": 48,
        "scores": {"motion": 0.5, "luma_mean": 100.25},
        "motion_bucket": number % 256,
        "bucket": None,
        "path": "/films/ü.mp4",
        "start_pts": 25 * number,
        "end_pts": 25 * (number + 1),
        "time_base_num": 1,
        "time_base_den": 25,
        "config_hash": "c0ffee",
        "made_by": "encode",
        "audio": None,
        "score_configs": {"motion": "5c0ffee"},
    } | fields
    return Sample(key, bytes([number % 256]) * (600 + number) if video is None else video, meta)
