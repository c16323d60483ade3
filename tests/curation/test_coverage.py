import pyarrow as pa
from handmade import put_clips, put_videos, split_video

from curation.coverage import COVERAGE, SECONDS, coverage
from curation.tables import Corpus


def test_a_row_a_video_with_its_seconds_and_clips(tmp_path):
    corpus = Corpus(tmp_path)
    full = split_video(2, short_s=0.5, failed_s=0.25) | {"video_id": "full"}
    bare = split_video(0, trimmed_s=3.0) | {"video_id": "bare"}
    put_videos(corpus, 0, [full, bare, {"video_id": "lost", "status": "failed", "error": "no video stream"}])
    put_clips(corpus, 0, 2, video_id=["full"] * 2)
    put_videos(corpus, 1, [split_video(1) | {"video_id": "other"}])
    put_clips(corpus, 1, 1, first=2, video_id=["other"])
    rows = pa.concat_tables(table.cast(COVERAGE) for table in coverage(corpus)).to_pylist()
    assert [(row["video_id"], row["num_clips"]) for row in rows] == [
        ("full", 2),
        ("bare", 0),
        ("lost", 0),
        ("other", 1),
    ]
    assert [rows[0][name] for name in SECONDS] == [4.75, 4.0, 0.0, 0.0, 0.5, 0.25]
    assert rows[1]["trimmed_s"] == 3.0 and rows[2]["duration_s"] is None
    assert rows[3]["path"] == "/films/other.mp4"
