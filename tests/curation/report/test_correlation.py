import numpy as np
import pandas as pd

from curation.report import correlation


def test_ranks_of_pairs_as_pandas_has_them(monkeypatch):
    random = np.random.default_rng(2)
    x = random.standard_normal(400)
    columns = [x, np.exp(x), -x + random.standard_normal(400), random.integers(0, 5, 400).astype(float), np.ones(400)]
    columns[2] = np.where(random.random(400) < 0.3, np.nan, columns[2])
    columns[3] = np.where(random.random(400) < 0.2, np.nan, columns[3])
    expected = pd.DataFrame(dict(enumerate(columns))).corr(method="spearman").to_numpy()
    assert np.allclose(correlation.spearman(columns), expected, equal_nan=True)
    monkeypatch.setattr(correlation, "MAX_ROWS", 100)
    fewer = pd.DataFrame(dict(enumerate(columns)))[::4].corr(method="spearman").to_numpy()
    assert np.allclose(correlation.spearman(columns), fewer, equal_nan=True)


def test_nothing_to_compare():
    assert correlation.spearman([]).shape == (0, 0)
    assert np.isnan(correlation.spearman([np.full(3, np.nan), np.arange(3.0)])[0, 1])
