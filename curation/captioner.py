"""What all scorers that write captions share: one column of text, and a reason for each clip that gets none."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from curation.batches import Batches
from curation.caption_text import NoCaption, tidy
from curation.captions import CAPTION_COLUMN
from curation.next_token import Decoding
from curation.scorer import Frames, Resources, Score, Scorer
from shards.schema import field

NO_FRAME = "no proxy frame"


class Writer(ABC):
    """A loaded model that writes captions."""

    @abstractmethod
    def subject(self, clip: dict, frames: Frames) -> Any:
        """What the model is shown of one clip.

        Args:
            clip: the columns that the scorer reads.
            frames: its proxy frames; may be none.

        Raises:
            NoCaption: there is nothing to speak of.
        """

    @abstractmethod
    def write(self, subjects: Sequence[Any], clip_ids: Sequence[str]) -> list[tuple[str, bool]]:
        """For each clip what the model says, and whether it came to an end by itself.

        Args:
            subjects: as `subject` gave them.
            clip_ids: of these clips, for draws that depend on the clip alone.
        """


@dataclass(frozen=True, kw_only=True)
class Captioner(Scorer):
    """A scorer whose score is a text: it joins the captions of its clips, after those that the user brought."""

    source: str
    """Name of this source of captions, e.g. `coca`; the column is `caption_<source>`."""
    decoding: Decoding = Decoding()
    """How words are picked."""
    max_chars: int = 2000
    """A longer text is none; the clip gets the reason."""
    device: str = "cpu"
    """`cpu` or `cuda`; on a GPU the model runs in bfloat16."""
    threads: int = 1
    """CPU threads, fixed because they change the last digits."""
    batch_size: int = 8
    """Clips at once; halved when memory runs out."""
    resources: Resources = Resources()
    """What a worker takes from the cluster."""

    reads = ("clip_id",)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+", self.source):
            raise ValueError(f"source: {self.source!r} becomes the name of a column; small letters, digits and _ alone")

    @property
    def column(self) -> str:
        """The one column that it writes."""
        return f"{CAPTION_COLUMN}{self.source}"

    @property
    def writes(self) -> pa.Schema:
        """Its caption."""
        doc = f"caption by `{self.source}`, one line; among a clip's captions its source is that name"
        return pa.schema([field(self.column, pa.string(), doc)])

    @abstractmethod
    def load(self) -> Writer:
        """Loads the model, in the worker."""

    def build(self) -> Score:
        """Loads the model."""
        return _CaptionScore(self, self.load())


class _CaptionScore:
    """A loaded captioner; see `Score`."""

    def __init__(self, scorer: Captioner, writer: Writer) -> None:
        self._scorer, self._writer, self._batches = scorer, writer, Batches(scorer.batch_size)

    def __call__(self, table: pa.Table, frames: Sequence[Frames]) -> dict[str, Sequence]:
        import torch

        torch.set_num_threads(self._scorer.threads)  # each time: it is one setting for all scorers of a worker
        subjects, texts, errors = {}, {}, {}
        for row, (clip, pictures) in enumerate(zip(table.to_pylist(), frames, strict=True)):
            try:
                subjects[row] = (self._writer.subject(clip, pictures), clip["clip_id"])
            except NoCaption as reason:
                errors[row] = str(reason)
        said = self._batches(lambda batch: self._writer.write(*zip(*batch, strict=True)), list(subjects.values()))
        for row, (text, finished) in zip(subjects, said, strict=True):
            try:
                texts[row] = tidy(text, finished, self._scorer.max_chars)
            except NoCaption as reason:
                errors[row] = str(reason)
        rows = range(len(table))
        return {self._scorer.column: [texts.get(row) for row in rows], "error": [errors.get(row) for row in rows]}
