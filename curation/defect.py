"""Tells a defect of ours, e.g. of a splitter, from poisonous videos: of these some go wrong, of that all do.

A part may hold a single video, so this looks at all that a run has read, in the driver.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from curation.part_work import Counts
from curation.tables import Corpus
from shards.places import reaching

UNFORESEEN = "failed by "  # in counts: videos that failed by an exception of that kind, which no reader means to raise
FEWEST = 4  # that fewer videos provoke the same exception may be chance
SURE = 20  # after so many there is no need to read on


class DefectError(RuntimeError):
    """No video of a run came out well, and several failed by the same exception."""


@contextmanager
def refuse_defect(
    corpus: Corpus, parts: Sequence[str], done: Callable[[str, Counts], None]
) -> Iterator[Callable[[str, Counts], None]]:
    """Gives a `done` for `Engine.run` that also watches for a defect.

    Args:
        corpus: where the parts are written.
        parts: what the run is to do; nothing of them stands yet.
        done: told as well.

    Raises:
        DefectError: there is one; what it did to videos stands nowhere, so that the same command reads them again.
    """
    counts = Counter[str]()

    def watched(part: str, more: Counts) -> None:
        done(part, more)
        counts.update(more)
        _refuse(counts, SURE)

    try:
        yield watched
        _refuse(counts, FEWEST)
    except DefectError:
        _forget(corpus, parts)
        raise


def _refuse(counts: Counter[str], fewest: int) -> None:
    kinds = [name for name in counts if name.startswith(UNFORESEEN)]
    if counts["ok"] or len(kinds) != 1 or counts[kinds[0]] < fewest:
        return
    raise DefectError(
        f"{counts[kinds[0]]:g} videos {kinds[0]} and none came out well, so that no video is to blame; a warning above "
        "says where it was raised. None of them was recorded as failed: once that is mended, the same command reads "
        "them again. If it is the videos after all, put them on the block list"
    )


def _forget(corpus: Corpus, parts: Sequence[str]) -> None:
    """Also parts that other workers have ended meanwhile."""
    for part in parts:
        if corpus.has("videos", part) and "ok" not in corpus.read("videos", part, ["status"])["status"].to_pylist():
            path = corpus.path("videos", part)
            with reaching(path):
                path.unlink()
