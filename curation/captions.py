"""Captions that users bring: as a table, or as a text file beside the video."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa

from curation.corpus import input_paths
from curation.guard import ConfigChanged
from curation.tables import Corpus
from curation.user_table import read_user_table, resolved, texts
from shards.schema import CAPTIONS, from_rows

logger = logging.getLogger(__name__)

MIN_COVER = 0.5
COLUMNS = ("path", "start_s", "end_s", "text", "source")


@dataclass(frozen=True)
class Caption:
    """Words about a span of a video."""

    text: str
    source: str
    start_s: float | None = None
    """Start in seconds from the first frame; None for the whole video."""
    end_s: float | None = None
    """End in seconds, exclusive; None for the whole video."""

    def covers(self, start_s: float, end_s: float) -> bool:
        """Whether it speaks of at least half of the span."""
        start = start_s if self.start_s is None else max(start_s, self.start_s)
        end = end_s if self.end_s is None else min(end_s, self.end_s)
        return end - start >= MIN_COVER * (end_s - start_s)


class Captions:
    """All captions of a corpus by the path of their video."""

    def __init__(self, table: str | None) -> None:
        """Args: table: file with `path, text` and optionally `start_s, end_s, source`; relative paths count from it.

        Raises:
            ValueError: the table cannot be read or lacks a column, or a row has no path, or words that are no text;
                names the file.
        """
        self._table = table
        self._by_path: dict[str, list[Caption]] = defaultdict(list)
        if table is not None:
            self._read(Path(table))

    def of(self, path: str) -> list[Caption]:
        """Captions of one video: the table's first, then that of the sidecar file `<video>.txt`."""
        found = list(self._by_path.get(path, ()))
        sidecar = Path(path).with_suffix(".txt")
        if sidecar.is_file():
            text = sidecar.read_text(encoding="utf-8", errors="replace").strip()
            found += [Caption(text, "sidecar")] if text else []
        return found

    def _read(self, source: Path) -> None:
        if not source.is_file():
            raise ValueError(f"captions: {source} is not there")
        table = read_user_table(source)
        table = table.select([name for name in COLUMNS if name in table.column_names])
        missing = {"path", "text"} - set(table.column_names)
        if missing:
            raise ValueError(
                f"captions: {source} lacks the columns {sorted(missing)}; it may have {', '.join(COLUMNS)}"
            )
        texts(table, "text", source)
        for path, row in zip(resolved(table, source), table.to_pylist(), strict=True):
            if row["text"]:  # empty words are no caption
                self._by_path[path].append(_caption(row, source))

    def of_copies(self, paths: Iterable[str]) -> list[Caption]:
        """Captions of one video that lies at several paths, in the order of the paths; equal ones count once."""
        return list(dict.fromkeys(caption for path in paths for caption in self.of(path)))

    def warn_unmatched(self, known: Collection[str]) -> None:
        """Warns of the table's captions whose path is none of those known: a wrong path must not go unseen."""
        lost = {path: len(captions) for path, captions in self._by_path.items() if path not in known}
        if lost:
            logger.warning(
                "%d captions of %d files in %s match no file of this corpus, e.g. %s",
                sum(lost.values()),
                len(lost),
                self._table,
                next(iter(lost)),
            )


def _caption(row: dict, source: Path) -> Caption:
    try:
        start_s, end_s = (None if row.get(key) in (None, "") else float(row[key]) for key in ("start_s", "end_s"))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"captions: {source}: start_s and end_s must be numbers ({error}) for {row['path']}"
        ) from error
    return Caption(row["text"], row.get("source") or source.stem, start_s, end_s)


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
    written, copies = 0, input_paths(corpus)
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
    captions.warn_unmatched(set(chain.from_iterable(copies.values())))
    return written


def _of_part(corpus: Corpus, part: str, captions: Captions, copies: dict[str, list[str]]) -> pa.Table:
    read = dict(zip(*corpus.read("videos", part, ["video_id", "path"]).to_pydict().values(), strict=True))
    paths = {video_id: dict.fromkeys([path, *copies.get(video_id, ())]) for video_id, path in read.items()}
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
