"""Captions that users bring: as a table, in the table of videos, or as a text file beside the video."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from upath.implementations.cloud import CloudPath

from curation.user_table import read_user_table, resolved, seconds, texts
from shards.places import Place, place, reaching

logger = logging.getLogger(__name__)

CAPTION_COLUMN = "caption_"
"""A column of text whose name begins so holds captions that a scorer wrote; the rest of the name is their source."""
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
            It may lie at an address.

        Raises:
            ValueError: the table cannot be read or lacks a column, or a row has no path, words that are no text, or a
                time that is no number from 0 on; names the file.
        """
        self._table = table
        self._by_path: dict[str, list[Caption]] = defaultdict(list)
        self._texts: dict[str, set[str]] = {}
        if table is not None:
            self._read(place(table))

    def of(self, path: str, told: Iterable[Caption] = ()) -> list[Caption]:
        """Captions of one video: this table's first, then those `told` with the input, then the file `<video>.txt`."""
        text = self._sidecar(path)
        return [*self._by_path.get(path, ()), *told, *([Caption(text, "sidecar")] if text else [])]

    def _sidecar(self, path: str) -> str:
        sidecar = place(path).with_suffix(".txt")
        if isinstance(sidecar, Path):
            return sidecar.read_text(encoding="utf-8", errors="replace").strip() if sidecar.is_file() else ""
        if not isinstance(sidecar, CloudPath):  # a web server lists nothing
            return ""
        folder = str(sidecar.parent)
        if folder not in self._texts:  # one listing spares a request a video
            with reaching(folder):
                self._texts[folder] = {text.name for text in sidecar.parent.glob("*.txt")}
        if sidecar.name not in self._texts[folder]:
            return ""
        with reaching(sidecar):
            return sidecar.read_bytes().decode("utf-8", errors="replace").strip()

    def _read(self, source: Place) -> None:
        with reaching(source):
            if not source.is_file():
                raise ValueError(f"captions: {source} is not there")
        table = read_user_table(source)
        missing = {"path", "text"} - set(table.column_names)
        if missing:
            raise ValueError(
                f"captions: {source} lacks the columns {sorted(missing)}; it may have {', '.join(COLUMNS)}"
            )
        words, paths = texts(table, "text", source), resolved(table, source)
        sources = table["source"].to_pylist() if "source" in table.column_names else [None] * len(table)
        ends = [seconds(table, name, source) for name in ("start_s", "end_s")]
        for path, text, told_by, start_s, end_s in zip(paths, words, sources, *ends, strict=True):
            if text:  # empty words are no caption
                self._by_path[path].append(Caption(text, told_by or source.stem, start_s, end_s))

    def of_copies(self, paths: Mapping[str, Iterable[Caption]]) -> list[Caption]:
        """Captions of one video that lies at several paths, in the order of the paths; equal ones count once.

        Args:
            paths: path -> captions told with that input.
        """
        return list(dict.fromkeys(caption for path, told in paths.items() for caption in self.of(path, told)))

    def warn_unmatched(self, known: Iterable[str]) -> None:
        """Warns of the table's captions whose path is none of those known: a wrong path must not go unseen."""
        lost = {path: len(captions) for path, captions in self._by_path.items()}
        for path in known:
            lost.pop(path, None)
        if lost:
            logger.warning(
                "%d captions of %d files in %s match no file of this corpus, e.g. %s",
                sum(lost.values()),
                len(lost),
                self._table,
                next(iter(lost)),
            )
