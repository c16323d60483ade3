"""Tables of an evaluation come back as they were written, and a file that is none of them is told."""

from dataclasses import replace

import pytest

from training.evaluation.tables import METRICS, VIDEOS, figure_rows, read_rows, write_rows
from training.metrics.metric import Figure

FULL = Figure("clip", 0.25, 0.125, 0.5, "higher", "ViT; 4 frames", 64, 0, "c0ffee", "few videos", "")
LACKING = Figure("fvd", None, None, None, "lower", "I3D", 64, 48, "", "", "needs I3D: get it")
VIDEO = {"number": 3, "caption": "a <cat>", "seed": 8, "video": "samples/a b.mp4", "key": "k", "reference": "r/k.mp4"}


def test_figures_come_back_with_all_that_it_takes_to_read_them(tmp_path):
    path = tmp_path / "metrics.parquet"
    write_rows(path, figure_rows({"stage": "2", "model_sha256": "beef"}, [FULL, LACKING]), METRICS)
    full, lacking = read_rows(path, METRICS)
    assert full == {
        "stage": "2",
        "model_sha256": "beef",
        "name": "clip",
        "value": 0.25,
        "low": 0.125,
        "high": 0.5,
        "better": "higher",
        "protocol": "ViT; 4 frames",
        "num_fake": 64,
        "num_real": 0,
        "network_sha256": "c0ffee",
        "caution": "few videos",
        "missing": "",
    }
    assert (lacking["value"], lacking["low"], lacking["missing"]) == (None, None, "needs I3D: get it")
    assert (lacking["num_fake"], lacking["num_real"]) == (64, 48)


@pytest.mark.parametrize("values", [{}, {"luma": 0.1, "clip": -2.5}])
def test_values_of_a_video_come_back_by_metric(tmp_path, values):
    write_rows(tmp_path / "videos.parquet", [VIDEO | {"values": values}], VIDEOS)
    assert read_rows(tmp_path / "videos.parquet", VIDEOS) == [VIDEO | {"values": values}]


def test_a_row_that_does_not_fit_leaves_the_table_as_it_was(tmp_path):
    path = tmp_path / "metrics.parquet"
    rows = figure_rows({"stage": "2", "model_sha256": "beef"}, [FULL, replace(FULL, name="other")])
    write_rows(path, rows, METRICS)
    with pytest.raises(ValueError, match=r"row does not fit its schema: \['speed'\]"):
        write_rows(path, [rows[0], rows[1] | {"speed": 1}], METRICS)
    assert read_rows(path, METRICS) == rows and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("spoiled", ["gone", "cut short", "of another kind"])
def test_what_cannot_be_read_is_told_with_the_way_out(tmp_path, spoiled):
    path = tmp_path / "metrics.parquet"
    if spoiled == "cut short":
        write_rows(path, figure_rows({"stage": "2", "model_sha256": "beef"}, [FULL]), METRICS)
        path.write_bytes(path.read_bytes()[:-9])
    elif spoiled == "of another kind":
        write_rows(path, [VIDEO | {"values": {}}], VIDEOS)
    with pytest.raises(ValueError, match=r"metrics\.parquet cannot be read \(.+\): remove it, and evaluate again"):
        read_rows(path, METRICS)
