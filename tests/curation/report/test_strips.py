import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.report.lines import Line
from curation.report.strips import Strip, ends, find, sides, take

ROWS = 900
RANDOM = np.random.default_rng(1)
SCORES = {
    "plain": RANDOM.standard_normal(ROWS),
    "tied": RANDOM.integers(0, 4, ROWS).astype(float),
    "gaps": np.where(RANDOM.random(ROWS) < 0.4, np.nan, RANDOM.random(ROWS)),
}


@pytest.fixture
def clips(tmp_path):
    columns = {name: pa.array(values, from_pandas=True) for name, values in SCORES.items()}
    ids = [f"clip-{k:05d}" for k in range(ROWS)]
    pq.write_table(pa.table({"clip_id": ids, **columns}), tmp_path / "clips.parquet", row_group_size=100)
    with pq.ParquetFile(tmp_path / "clips.parquet") as file:
        yield file


@pytest.mark.parametrize("column", SCORES)
def test_the_ends_are_those_of_a_sorted_list(clips, column):
    known = np.sort(SCORES[column][~np.isnan(SCORES[column])])
    lowest, highest = (find(clips, {strip: 5})[strip] for strip in ends(column))
    assert np.array_equal(lowest.values, known[:5]) and np.array_equal(highest.values, known[::-1][:5])
    assert np.array_equal(SCORES[column][lowest.rows], lowest.values) and lowest.total == len(known)


@pytest.mark.parametrize("column", SCORES)
@pytest.mark.parametrize("fails_below", [True, False])
def test_the_sides_of_a_line_meet_there(clips, column, fails_below):
    known = np.sort(SCORES[column][~np.isnan(SCORES[column])])
    limit = float(known[len(known) // 3])
    failing, passing = (find(clips, {s: 7})[s] for s in sides(Line(column, fails_below, limit)))
    below, above = known[known < limit], known[known > limit]
    fails = below[::-1] if fails_below else above
    passes = known[known >= limit] if fails_below else known[known <= limit][::-1]
    assert np.array_equal(failing.values, fails[:7]) and failing.total == len(fails)
    assert np.array_equal(passing.values, passes[:7]) and passing.total == len(passes)


def test_among_equals_a_hash_decides_wherever_groups_of_rows_end(clips, tmp_path):
    pq.write_table(clips.read(), tmp_path / "one.parquet")
    (strip, _) = ends("tied")
    with pq.ParquetFile(tmp_path / "one.parquet") as whole:
        assert np.array_equal(find(whole, {strip: 6})[strip].rows, (rows := find(clips, {strip: 6})[strip].rows))
    assert rows.max() > 100 and len(set(rows.tolist())) == 6  # not just the first ones


def test_strips_of_several_lengths_in_one_pass(clips):
    (low, high), (other, _) = ends("plain"), ends("gaps")
    found = find(clips, {low: 5, high: 2, other: 3})
    assert [len(found[strip].rows) for strip in (low, high, other)] == [5, 2, 3]
    assert np.array_equal(found[high].rows, find(clips, {high: 2})[high].rows)


def test_fewer_clips_than_wanted(clips):
    strip = Strip("plain", 2.9, True)
    assert (
        find(clips, {strip: 50})[strip].total
        == len(find(clips, {strip: 50})[strip].rows)
        == sum(SCORES["plain"] >= 2.9)
    )


def test_rows_by_number(clips):
    found = take(clips, [450, 3, 899, 3], ["clip_id"])
    assert found == {3: {"clip_id": "clip-00003"}, 450: {"clip_id": "clip-00450"}, 899: {"clip_id": "clip-00899"}}
