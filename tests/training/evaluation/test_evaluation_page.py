"""The page of an evaluation: figures as a person reads them, and videos by addresses that a browser finds."""

import re

import pytest

from training.evaluation.page import MOST_VIDEOS, figure, write_page
from training.run import Run

METRIC = {
    "model_sha256": "0123456789abcdef-rest",
    "name": "clip",
    "value": 0.123456,
    "low": 0.1,
    "high": 0.15,
    "better": "higher",
    "protocol": "ViT & 4 frames",
    "num_fake": 64,
    "num_real": 0,
    "network_sha256": "",
    "caution": "",
    "missing": "",
}
LACKING = METRIC | {"name": "fvd", "value": None, "low": None, "high": None, "num_real": 48, "missing": "needs <I3D>"}


def video(number, **other):
    place = {"video": f"samples/{number}.mp4", "reference": f"references/{number}.mp4"}
    return {"caption": f"caption {number}", "seed": number} | place | other


def page_of(root, metrics, videos):
    return write_page(root, Run(root / "demo" / "2b"), metrics, videos).read_text(encoding="utf-8")


def cells(page, name):
    """Texts of a metric's row."""
    row = re.search(rf"<tr><td>{name}</td>.*?</tr>", page, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", each).strip() for each in re.findall(r"<td.*?</td>", row[0], re.DOTALL)]


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (0.0, "0"), (0.123456, "0.1235"), (1234.56, "1235"), (1.23456e-7, "1.235e-07"), (-2.0, "-2")],
)
def test_figures_have_four_digits(value, told):
    assert figure(value) == told


def test_a_figure_stands_with_its_interval_and_what_lacks_says_why(tmp_path):
    page = page_of(tmp_path, [METRIC, LACKING], [video(0)])
    assert cells(page, "clip") == ["clip", "0.1235", "0.1 to 0.15", "higher", "64", "ViT &amp; 4 frames"]
    told = "no value: needs &lt;I3D&gt;ViT &amp; 4 frames"
    assert cells(page, "fvd") == ["fvd", "–", "–", "higher", "64 / 48", told]
    assert "Stage 2b of demo" in page and "Weights: 0123456789abcdef." in page


def test_what_a_reader_must_know_stands_before_the_protocol(tmp_path):
    page = page_of(tmp_path, [METRIC | {"caution": "too few", "network_sha256": "fedcba9876543210-rest"}], [video(0)])
    assert "<strong>too few</strong><br>ViT &amp; 4 frames<br>network fedcba9876543210</td>" in page


def test_captions_are_text_and_file_names_are_addresses(tmp_path):
    odd = {"caption": '<script>"5 > 4"', "video": "samples/50% #1?.mp4", "reference": "references/a b.mp4"}
    page = page_of(tmp_path, [METRIC], [video(0, **odd), video(1, caption="")])
    assert 'src="samples/50%25%20%231%3F.mp4"' in page and 'src="references/a%20b.mp4"' in page
    assert "&lt;script&gt;&#34;5 &gt; 4&#34;" in page and "<script" not in page
    assert "<p>no caption " in page


@pytest.mark.parametrize(("number", "says_so"), [(MOST_VIDEOS, False), (MOST_VIDEOS + 1, True)])
def test_a_browser_plays_the_first_videos_and_the_page_says_so(tmp_path, number, says_so):
    page = page_of(tmp_path, [METRIC], [video(each) for each in range(number)])
    assert page.count("<video") == 2 * MOST_VIDEOS and f"caption {MOST_VIDEOS}" not in page
    assert (f"The first {MOST_VIDEOS} of {number}" in page) == says_so


def test_the_page_needs_no_network(tmp_path):
    page = page_of(tmp_path, [METRIC], [video(0)])
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources == ["samples/0.mp4", "references/0.mp4"] and "@import" not in page and "url(" not in page
