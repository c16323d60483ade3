import json
from dataclasses import replace

import pytest
from samples import make_sample

from shards.sample import Sample
from shards.schema import SAMPLE


def test_members_hold_what_the_sample_holds():
    sample = make_sample(3)
    members = sample.members()
    assert set(members) == {"json", "mp4", "txt"}
    assert members["mp4"] == sample.video and members["txt"].decode() == "Straße 3"
    assert json.loads(members["json"]) == sample.meta and set(sample.meta) == set(SAMPLE.names)
    assert Sample.from_webdataset(sample.to_webdataset()) == sample


def test_the_json_does_not_depend_on_the_order_of_fields():
    sample = make_sample(3)
    turned = replace(sample, meta=dict(reversed(sample.meta.items())))
    assert list(turned.meta) != list(sample.meta)
    assert turned.members() == sample.members()


@pytest.mark.parametrize("captions", [[], None])
def test_a_sample_without_captions_has_an_empty_text(captions):
    assert make_sample(0, captions=captions).members()["txt"] == b""


def test_nulls_are_allowed_and_come_back():
    sample = make_sample(0, fps=None, scores={})
    assert Sample.from_webdataset(sample.to_webdataset()).meta["fps"] is None


@pytest.mark.parametrize("key", ["a.b", "a/b", "../a", "a b", "é", "", "a\n"])
def test_keys_that_webdataset_or_tar_would_mistake_are_refused(key):
    with pytest.raises(ValueError, match="cannot be a sample's key"):
        Sample(key, b"", make_sample(0).meta | {"key": key})


def test_fields_must_be_those_of_the_contract():
    sample = make_sample(0)
    with pytest.raises(ValueError, match="missing or unknown: mood"):
        Sample(sample.key, b"", sample.meta | {"mood": "blue"})
    with pytest.raises(ValueError, match="missing or unknown: fps"):
        Sample(sample.key, b"", {k: v for k, v in sample.meta.items() if k != "fps"})
    with pytest.raises(ValueError, match="speak of another sample"):
        Sample("other", b"", sample.meta)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_cannot_tell_are_refused(number):
    with pytest.raises(ValueError):
        make_sample(0, scores={"motion": number}).members()


def test_broken_members_are_refused():
    whole = make_sample(0).to_webdataset()
    with pytest.raises(ValueError, match="no mp4 member"):
        Sample.from_webdataset({k: v for k, v in whole.items() if k != "mp4"})
    with pytest.raises(ValueError, match="json member cannot be read"):
        Sample.from_webdataset(whole | {"json": b"{"})
