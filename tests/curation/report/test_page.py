import base64
import io
import re
from html.parser import HTMLParser

import pytest
from handmade import clip_ids, put_verdicts
from PIL import Image
from reportable import HOSTILE, SECTIONS, put_corpus, report

import curation.report.page as page_module
from curation.config import CurateConfig
from curation.report import pictures
from shards.store import remove_folder

LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href", "href"}


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, path):
        super().__init__()
        self.html, self.ids, self.tags, self.images, self.addresses, self.text = path.read_text(), [], [], [], [], ""
        self._raw = False
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self._raw = tag in ("script", "style")
        self.ids += [found["id"]] if "id" in found else []
        self.images += [found] if tag == "img" else []
        self.addresses += [value for name, value in attrs if name in LOADING]

    def handle_endtag(self, tag):
        self._raw = False

    def handle_data(self, data):
        self.text += "" if self._raw else data


def decoded(image):
    assert image["src"].startswith("data:image/webp;base64,")
    return Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1]))).convert("L")


@pytest.fixture
def page(tmp_path):
    return Page(report(put_corpus(tmp_path / "films")))


def test_every_section_stands_and_ids_are_unique(page):
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    assert len(page.ids) == len(set(page.ids))


def test_nothing_is_fetched(page):
    assert {address.split(":")[0] for address in page.addresses if not address.startswith("#")} == {"data"}
    styles = "".join(re.findall(r"<style>(.*?)</style>", page.html, re.DOTALL))
    assert "url(" not in styles and "@import" not in styles
    assert set(re.findall(r"https?://[^\"' <]+", page.html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_pictures_decode_have_words_and_show_their_clip(page):
    assert all(image["alt"] for image in page.images)
    of_motion = [image for image in page.images if ", motion " in image["alt"]]
    assert len(of_motion) == 8 + 6 + 4 + 4  # passing, all six that fail, the ends
    for image in of_motion:
        flow = int(image["alt"].split(", motion ")[1])
        assert abs(decoded(image).getpixel((5, 5)) - 10 * flow) <= 4


def test_numbers_of_a_line(page):
    words = " ".join(page.text.split())
    assert "at least 6 pretrain hq" in words
    assert "motion:min rejects 6, 6 of them by this alone" in words
    assert "just fails · fail 6 (25.0 %)" in words and "just passes · pass 18 (75.0 %)" in words
    assert words.index("at least 6") < words.index("Scores without a line") < words.index("clip_similarity")
    assert "0.0 to 2.0 s" in page.html


def test_equal_tables_give_equal_bytes(tmp_path):
    written = [report(put_corpus(tmp_path / name)).read_bytes() for name in ("one", "another place")]
    assert written[0] == written[1]


def test_names_and_messages_are_text_and_no_markup(tmp_path):
    page = Page(report(put_corpus(tmp_path / "films", name=HOSTILE)))
    plain = Page(report(put_corpus(tmp_path / "plain")))
    assert page.tags == plain.tags
    assert page.text.count(f"broken: {HOSTILE}") == 2 and "videos: " + HOSTILE in page.text
    assert "49" not in page.text.split("broken:")[1][:90]


def test_pictures_stop_at_their_share_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_BYTES", 2000)
    page = Page(report(put_corpus(tmp_path / "films")))
    assert 0 < len({image["src"] for image in page.images}) < 20
    assert sum(len(image["src"]) for image in page.images) <= 2000  # each as often as it is shown
    assert "no picture" in page.text


def without(table):
    return lambda corpus: remove_folder(corpus.folder(table))


def without_scores_and_sets(corpus):
    for table in ("scores", "verdicts"):
        remove_folder(corpus.folder(table))


def damaged_proxies(corpus):
    for path in corpus.folder("proxies").glob("*.parquet"):
        path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (without("scores"), "motion:min"),
        (without("verdicts"), "No set was filtered yet"),
        (without_scores_and_sets, "No set was filtered yet"),
        (without("proxies"), "no picture"),
        (damaged_proxies, "no picture"),
        (without("scores/dedup"), "dedup has not run yet"),
    ],
)
def test_a_corpus_that_lacks_something_has_a_page_that_says_so(tmp_path, spoil, says):
    corpus = put_corpus(tmp_path / "films")
    spoil(corpus)
    page = Page(report(corpus))
    assert says in page.text
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS


def test_a_set_that_keeps_nothing(tmp_path):
    assert "pretrain keeps nothing" in Page(report(put_corpus(tmp_path / "films", keeps=False))).text


def test_no_clip_at_all(tmp_path):
    page = Page(report(put_corpus(tmp_path / "films", clips=0)))
    assert "There is no clip with a score yet" in page.text and "It needs two scores" in page.text
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS


def test_a_broken_sum_is_told_and_its_clips_are_not_shown(tmp_path):
    corpus = put_corpus(tmp_path / "films")
    put_verdicts(corpus, 1, "hq", clip_ids(1, first=12), [[]])
    page = Page(report(corpus))
    assert "Some sums do not hold" in page.text and "There is no clip with a score yet" in page.text


def test_an_empty_corpus(tmp_path):
    (tmp_path / "films").mkdir()
    corpus = put_corpus(tmp_path / "films", clips=0)
    for table in ("inputs", "videos", "clips", "scores", "verdicts", "proxies"):
        remove_folder(corpus.folder(table))
    assert "No job has run yet" in Page(report(corpus, CurateConfig())).text


def test_many_sets_and_scores_stay_within_bounds(tmp_path, monkeypatch):
    whole = Page(report(put_corpus(tmp_path / "whole")))
    monkeypatch.setattr(page_module, "MOST_SETS", 1)
    one_set = Page(report(put_corpus(tmp_path / "one set")))
    assert "Not on this page: hq;" in one_set.text and "hq rejects" not in one_set.text
    assert whole.tags.count("svg") - 1 == 2 * (one_set.tags.count("svg") - 1) > 2  # one is the correlation
    monkeypatch.setattr(page_module, "MOST_CHARTS", 1)
    assert Page(report(put_corpus(tmp_path / "one chart"))).tags.count("svg") == 1


def test_a_set_that_was_not_filtered_to_the_end_takes_no_place_of_another(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(page_module, "MOST_SETS", 1)
    corpus = put_corpus(tmp_path / "films")
    (corpus.folder("verdicts/pretrain") / "rules.json").unlink()
    page = Page(report(corpus))
    assert "hq rejects 6" in page.text and "Not on this page" not in page.text and "pretrain" not in page.text
    assert caplog.text.count("the set pretrain was not filtered to the end") == 1


def test_a_key_in_an_address_is_not_handed_on(tmp_path):
    corpus = put_corpus(tmp_path / "films")
    (corpus.root / "config.yaml").write_text("videos: s3://key:secret@store/films")
    page = Page(report(corpus))
    assert "videos: s3://…@store/films" in page.text and "secret" not in page.html
