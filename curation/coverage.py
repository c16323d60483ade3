"""`stats/coverage.parquet`: where the seconds of every video went, one row a video."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from curation.tables import Corpus
from shards.schema import VIDEOS, field

SECONDS = ["duration_s", "clips_s", "transition_s", "trimmed_s", "short_s", "failed_s"]
"""`duration_s` is the sum of the others; null where the video was not split."""
FROM_VIDEOS = ["video_id", "path", "status", *SECONDS]
COVERAGE = pa.schema(
    [
        *(VIDEOS.field(name) for name in FROM_VIDEOS),
        field("num_clips", pa.int64(), "clips that the video gave", "clips"),
    ]
)


def coverage(corpus: Corpus) -> Iterator[pa.Table]:
    """The rows of each part of `videos`, as the schema COVERAGE."""
    for part in corpus.parts("videos"):
        videos = corpus.read("videos", part, FROM_VIDEOS)
        owners = corpus.read("clips", part, ["video_id"]) if corpus.has("clips", part) else videos.slice(0, 0)
        counts = owners["video_id"].value_counts()
        place = pc.index_in(videos["video_id"], value_set=counts.field("values"))
        num_clips = pc.fill_null(counts.field("counts").take(place), 0)
        yield videos.append_column("num_clips", num_clips)
