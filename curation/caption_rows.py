"""The table `captions`: which captions of a video each of its clips takes."""
# pyarrow.compute makes its functions while it is imported, unseen by pyright:
# pyright: reportAttributeAccessIssue=false

from collections import defaultdict

import pyarrow as pa
import pyarrow.compute as pc

from curation.captions import Caption, Captions
from curation.guard import ConfigChanged
from curation.tables import Corpus
from shards.schema import CAPTIONS, from_rows


def assign(captions: list[Caption], clips: list[dict]) -> list[dict]:
    """Rows of the `captions` table: each clip takes each caption that covers at least half of it."""
    return [
        {"clip_id": clip["clip_id"], "text": caption.text, "source": caption.source}
        for clip in clips
        for caption in captions
        if caption.covers(clip["start_s"], clip["end_s"])
    ]


def write_captions(corpus: Corpus, captions: Captions) -> int:
    """Writes the `captions` parts that are missing; returns how many. Warns of captions that match no input file.

    Raises:
        ConfigChanged: the captions of a clip that was captioned before are others now.
    """
    written, copies = 0, _copies(corpus)
    for part in corpus.parts("clips"):
        table = _of_part(corpus, part, captions, copies)
        if not corpus.has("captions", part):
            corpus.write("captions", part, table, CAPTIONS)
            written += 1
        elif corpus.read("captions", part) != table:
            raise ConfigChanged(
                f"the captions of clips in {corpus.path('clips', part)} have changed since they were scored. Bring the "
                "old captions back, or say FORCE=captions: it moves the old ones, and what was built on them, aside"
            )
    captions.warn_unmatched(path for part in corpus.parts("inputs") for path in _paths(corpus, part))
    return written


def _paths(corpus: Corpus, part: str) -> list[str]:
    return corpus.read("inputs", part, ["path"])["path"].to_pylist()


Files = dict[str, dict[str, list[Caption]]]
"""video_id -> paths of files with that content, in order of listing -> captions told with that file."""


def _files(corpus: Corpus, part: str, only: pa.Array | None = None) -> Files:
    """Of a part of `inputs`, all files or those of some videos."""
    rows = corpus.read("inputs", part, ["video_id", "path", "captions"])
    files: Files = defaultdict(dict)
    for row in (rows if only is None else rows.filter(pc.is_in(rows["video_id"], value_set=only))).to_pylist():
        files[row["video_id"]][row["path"]] = [Caption(**caption) for caption in row["captions"] or ()]
    return files


def _copies(corpus: Corpus) -> Files:
    """Of all contents that more than one file has; few, so that memory does not grow with the corpus."""
    parts = corpus.parts("inputs")
    ids = pa.chunked_array([pa.array([], pa.string()), *(c for p in parts for c in _ids(corpus, p).chunks)])
    counts = ids.value_counts()
    repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    copies: Files = defaultdict(dict)
    for part in parts if len(repeated) else ():
        for video_id, files in _files(corpus, part, repeated).items():
            copies[video_id] |= files
    return copies


def _ids(corpus: Corpus, part: str) -> pa.ChunkedArray:
    return corpus.read("inputs", part, ["video_id"])["video_id"]


def _of_part(corpus: Corpus, part: str, captions: Captions, copies: Files) -> pa.Table:
    read = dict(zip(*corpus.read("videos", part, ["video_id", "path"]).to_pydict().values(), strict=True))
    own = _files(corpus, part) if corpus.has("inputs", part) else {}
    paths = {v: {path: []} | (copies.get(v) or own.get(v, {})) for v, path in read.items()}
    clips = defaultdict(list)
    for clip in corpus.read("clips", part, ["clip_id", "video_id", "start_s", "end_s"]).to_pylist():
        clips[clip["video_id"]].append(clip)
    rows = [row for video_id, mine in clips.items() for row in assign(captions.of_copies(paths[video_id]), mine)]
    return from_rows(rows, CAPTIONS)


def first_texts(captions: pa.Table) -> dict[str, list[str]]:
    """clip_id -> texts of its captions, in the order of the table."""
    texts: dict[str, list[str]] = defaultdict(list)
    for row in captions.select(["clip_id", "text"]).to_pylist():
        texts[row["clip_id"]].append(row["text"])
    return texts
