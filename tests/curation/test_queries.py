"""The queries that README and docs show run, on a small corpus, and say what is true of it."""

import re
from pathlib import Path

import pytest
from reportable import put_corpus, report

ROOT = Path(__file__).resolve().parents[2]
SHOWN = [
    pytest.param(code, id=f"{page}-{number}")
    for page in ("README.md", "docs/stats.md")
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    )
]
TRUE = {  # what the small corpus must answer to a query that says the first
    "unnest": [r"motion:min.*│\s+6 │"],
    "motion >=": [r"24\s+┆ 23\s+┆ 23\s+┆ 23"],
    "nsmallest": [r"/films/film\s+0.96"],
    "parse_dirpath": [r"/films.*0\.75"],
    "groupby": [r"/films/film"],
    "top_k": [r"23\.0"],
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("queries")
    report(put_corpus(root))
    return root


@pytest.mark.parametrize("code", SHOWN)
def test_a_query_runs_and_answers(corpus, code, capfd):
    assert "data/demo/corpus/stats/" in code
    exec(code.replace("data/demo/corpus", str(corpus)), {})
    said = capfd.readouterr().out
    expected = [pattern for word, patterns in TRUE.items() if word in code for pattern in patterns]
    assert expected and [pattern for pattern in expected if not re.search(pattern, said)] == [], said


def test_each_library_is_shown():
    shown = " ".join(param.values[0] for param in SHOWN)
    assert all(f"import {name}" in shown for name in ("duckdb", "polars", "pandas"))
    assert (ROOT / "README.md").read_text().count("```python") >= 1
