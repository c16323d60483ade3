"""A scorer that reads the videos themselves: the file of each clip must be the one that was listed, as for `split`."""

from collections.abc import Sequence

import pyarrow as pa

from curation import block
from curation.corpus import listed_near
from curation.safe_score import SafeScore
from curation.scorer import Frames
from curation.stamp import STAMP, SourceLost, refuse_changed, refuse_common_loss
from curation.tables import Corpus


class SourceScore:
    """Gives a scorer the clips of a part one by one, and looks at the file of each before and after it is read."""

    def __init__(self, score: SafeScore, corpus: Corpus, part: str, blocked: frozenset[str]) -> None:
        """Reads what was listed of the part's files.

        Args:
            score: of the scorer.
            corpus: the tables.
            part: of them.
            blocked: ids of videos on the block list; their files are not opened.
        """
        self._score, self._corpus, self._part, self._blocked = score, corpus, part, blocked
        stamps = {row.pop("path"): row for row in corpus.read("inputs", part, ["path", *STAMP]).to_pylist()}
        videos = corpus.read("videos", part, ["path", "video_id"]).to_pylist()
        self._listed = {video["video_id"]: video | stamps[video["path"]] for video in videos}

    def __call__(self, clips: pa.Table, frames: Sequence[Frames]) -> pa.Table:
        """As `SafeScore`; a clip is null with the reason where its video is blocked, gone or another than was listed.

        Raises:
            OSError: a file cannot be read now, or those listed near it are not as they were either.
        """
        rows = [self._one(clips.slice(row, 1), frames[row : row + 1]) for row in range(len(clips))]
        return pa.concat_tables([self._score.empty(), *rows])

    def _one(self, clip: pa.Table, frames: Sequence[Frames]) -> pa.Table:
        video_id = clip["video_id"][0].as_py()
        problem, scores = self._problem(video_id), self._score.empty()
        if problem is None:
            scores = self._score(clip, frames)
            problem = self._problem(video_id)  # else a share that went away meanwhile would be a failure for good
        return scores if problem is None else self._null(clip, problem)

    def _problem(self, video_id: str) -> str | None:
        """Why the file of a video is not to be used."""
        if video_id in self._blocked:
            return block.ERROR
        try:
            refuse_changed(**self._listed[video_id])
        except SourceLost as loss:
            refuse_common_loss(loss, listed_near(self._corpus, self._part))
            return str(loss.strerror)
        return None

    def _null(self, clip: pa.Table, reason: str) -> pa.Table:
        schema = self._score.empty().schema
        nulls = [pa.nulls(1, field.type) for field in schema][1:-1]
        return pa.table([clip["clip_id"], *nulls, pa.array([reason])], schema=schema)
