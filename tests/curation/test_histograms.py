import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.histograms import NUM_BINS, Spread, histograms, score_columns, spreads

RANDOM = np.random.default_rng(0)
ROWS = 5000
KEPT = pa.array([(None, True, False)[k % 3] for k in range(ROWS)])
SCORES = {
    "even": np.linspace(0, 1, ROWS),
    "tailed": np.exp(3 * RANDOM.standard_normal(ROWS)),
    "few": RANDOM.integers(0, 2, ROWS).astype(float),
    "gaps": np.where(np.arange(ROWS) % 4 == 0, np.nan, np.sin(np.arange(ROWS))),
    "steps": np.arange(ROWS) % (NUM_BINS + 1.0),  # each is an edge
    "same": np.full(ROWS, 7.0),
    "none": np.full(ROWS, np.nan),
    "odd": np.where(np.arange(ROWS) == 1, np.inf, np.arange(ROWS) / 7),
}


@pytest.fixture
def clips(tmp_path):
    """A table of scores in small groups of rows, two thirds of it filtered; where there is a gap it says null."""
    columns = {name: pa.array(values, from_pandas=True) for name, values in SCORES.items()}
    flags = {"flag": pa.array(np.arange(ROWS) % 2 == 0), "kept_hq": KEPT}
    others = {"start_s": pa.array(np.zeros(ROWS)), "exact_rank": pa.nulls(ROWS, pa.int32()), "path": ["a"] * ROWS}
    pq.write_table(pa.table({**columns, **flags, **others}), tmp_path / "clips.parquet", row_group_size=700)
    with pq.ParquetFile(tmp_path / "clips.parquet") as file:
        yield file


def counted(clips, sets=("hq",)):
    columns = score_columns(clips.schema_arrow)
    return histograms(clips, list(sets), spreads(clips, columns)).to_pandas()


def test_scores_are_numbers_that_are_no_places_ranks_or_verdicts(clips):
    assert score_columns(clips.schema_arrow) == [*SCORES, "flag"]


@pytest.mark.parametrize("name", SCORES)
def test_every_clip_is_in_the_bin_that_holds_it(clips, name):
    rows = counted(clips)
    rows = rows[rows.score == name]
    bins, missing = rows[rows.start.notna()], rows[rows.start.isna()]
    values = np.where(np.isfinite(SCORES[name]), SCORES[name], np.nan)
    for number, (start, end, clips_, kept, rejected) in enumerate(bins.iloc[:, 2:].itertuples(index=False)):
        inside = (values >= start) & ((values <= end) if number == len(bins) - 1 else (values < end))
        assert (clips_, kept, rejected) == (inside.sum(), inside[1::3].sum(), inside[2::3].sum())
    assert missing.clips.item() == np.isnan(values).sum()
    assert rows.clips.sum() == ROWS and rows.kept.sum() == len(values[1::3])


def test_a_long_tail_gets_a_bin_of_its_own_and_an_even_spread_none():
    values = np.arange(1000.0)
    assert np.allclose(Spread(0, 999, values).edges(), np.linspace(0, 999, NUM_BINS + 1))
    tailed = np.append(values, 1e6)
    edges = Spread(0, 1e6, tailed).edges()
    assert np.allclose(edges, [0, *np.linspace(*np.quantile(tailed, [0.01, 0.99]), NUM_BINS + 1), 1e6])


def test_the_sample_is_taken_at_even_distances_across_groups(clips, monkeypatch):
    monkeypatch.setattr("curation.histograms.SAMPLE_ROWS", 400)
    found = spreads(clips, ["even"])["even"]
    assert np.array_equal(found.sample, SCORES["even"][:: ROWS // 400 + 1]) and (found.low, found.high) == (0, 1)


def test_without_a_set_or_a_clip(clips, tmp_path):
    rows = counted(clips, sets=())
    assert rows.rule_set.isna().all() and rows.kept.isna().all() and rows[rows.score == "even"].clips.sum() == ROWS
    pq.write_table(pq.read_table(tmp_path / "clips.parquet").slice(0, 0), tmp_path / "empty.parquet")
    with pq.ParquetFile(tmp_path / "empty.parquet") as empty:
        rows = counted(empty)
    assert len(rows) == len(SCORES) + 1 and rows.clips.sum() == 0
