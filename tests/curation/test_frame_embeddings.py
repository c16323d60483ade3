"""Values of frames to values of clips."""

import numpy as np
import pyarrow as pa
import pytest

from curation.frame_embeddings import of_frames
from curation.scorer import Misfit

LISTS = pa.list_(pa.list_(pa.float16()))
CLIPS = [[[1, 2], [3, 4]], None, [], [[5, 6]], [[7, 8], [9, 10], [11, 12]]]


def both(embeddings: np.ndarray) -> np.ndarray:
    assert embeddings.dtype == np.float64
    return embeddings * [1, 10]


def test_each_clip_gets_what_its_own_frames_have():
    columns = of_frames(pa.table({"e": pa.array(CLIPS, LISTS)}), "e", ["x", "y"], both)
    assert columns["x"] == [2, None, None, 5, 9] and columns["y"] == [30, None, None, 60, 100]
    assert columns["error"] == [None, "no e", "no e", None, None]
    assert of_frames(pa.table({"e": pa.array(CLIPS, LISTS)}), "e", ["x", "y"], both, "max")["y"][4] == 120


@pytest.mark.parametrize("cut", [0, 1, 3, 4])
def test_parts_of_a_table_give_what_the_whole_gives(cut):
    table = pa.table({"e": pa.chunked_array([pa.array(CLIPS[:2], LISTS), pa.array(CLIPS[2:], LISTS)])})
    whole = of_frames(table, "e", ["x", "y"], both)
    parts = [of_frames(part, "e", ["x", "y"], both) for part in (table.slice(0, cut), table.slice(cut))]
    assert {name: [*parts[0][name], *parts[1][name]] for name in whole} == whole


def test_a_table_without_any_embedding():
    columns = of_frames(pa.table({"e": pa.array([None, None], LISTS)}), "e", ["x"], both)
    assert columns == {"x": [None, None], "error": ["no e", "no e"]}
    assert of_frames(pa.table({"e": pa.array([], LISTS)}), "e", ["x"], both) == {"x": [], "error": []}


def test_widths_that_differ_are_refused():
    with pytest.raises(Misfit, match=r"`e` holds embeddings of different widths: \[1, 2\]"):
        of_frames(pa.table({"e": pa.array([[[1]], [[1, 2]]], LISTS)}), "e", ["x"], both)
