"""What all captioners keep, shown on one whose model is a function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from curation.caption_text import NoCaption
from curation.captioner import Captioner, Writer
from curation.safe_score import SafeScore
from curation.scorer import Frames

FRAMES = [[(0.0, np.full((4, 4, 3), level, np.uint8))] for level in (10, 20, 30, 40)]
IDS = pa.table({"clip_id": ["a", "b", "c", "d"]})


@dataclass(frozen=True, kw_only=True)
class Spoken(Captioner):
    """Says of each gray level what it is told to."""

    says: Callable[[int], str]
    source: str = "spoken"
    batches: list = field(default_factory=list)

    def load(self) -> Writer:
        return SpokenWriter(self)


class SpokenWriter(Writer):
    def __init__(self, config: Spoken) -> None:
        self.config = config

    def subject(self, clip: dict, frames: Frames) -> Any:
        if not frames:
            raise NoCaption("nothing to see")
        return int(frames[0][1].mean())

    def write(self, subjects: Sequence[Any], clip_ids: Sequence[str]) -> list[tuple[str, bool]]:
        self.config.batches.append(list(zip(clip_ids, subjects, strict=True)))
        return [(self.config.says(level), True) for level in subjects]


def test_each_clip_gets_its_own_text_or_its_own_reason():
    said = {10: " one\n", 20: "", 30: "so " * 50, 40: "w" + "xyz " * 3000}
    columns = Spoken(says=said.__getitem__, batch_size=3).build()(IDS, [FRAMES[0], [], *FRAMES[2:]])
    assert columns["caption_spoken"] == ["one", None, None, None]
    first, second, third, fourth = columns["error"]
    assert (first, second) == (None, "nothing to see")
    assert "repeats itself: so" in third and "repeats itself: xyz" in fourth


def test_clips_without_a_subject_take_no_place_in_a_batch():
    scorer = Spoken(says=str, batch_size=2)
    assert scorer.build()(IDS, [FRAMES[0], [], *FRAMES[2:]])["caption_spoken"] == ["10", None, "30", "40"]
    assert scorer.batches == [[("a", 10), ("c", 30)], [("d", 40)]]


def test_memory_that_runs_out_costs_no_caption():
    scorer = Spoken(says=str, batch_size=4)
    score = scorer.build()
    write = score._writer.write

    def narrow(subjects, clip_ids):
        if len(subjects) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return write(subjects, clip_ids)

    score._writer.write = narrow
    assert score(IDS, FRAMES)["caption_spoken"] == ["10", "20", "30", "40"]


def test_a_model_that_breaks_on_a_clip_costs_that_clip():
    def says(level: int) -> str:
        if level == 30:
            raise ArithmeticError("cannot say that")
        return str(level)

    table = SafeScore("spoken", Spoken(says=says))(IDS, FRAMES)
    assert table["caption_spoken"].to_pylist() == ["10", "20", None, "40"]
    assert table["spoken_error"].to_pylist() == [None, None, "ArithmeticError: cannot say that", None]


@pytest.mark.parametrize("source", ["", "V-BLIP", "a b", "é"])
def test_a_source_must_be_fit_for_a_column(source):
    with pytest.raises(ValueError, match="source: "):
        Spoken(says=str, source=source)
