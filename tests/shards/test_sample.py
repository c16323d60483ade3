import json
from dataclasses import replace

import pyarrow as pa
import pytest
from samples import make_sample

from shards.sample import MEMBERS, Sample, arrow_schema, index_row
from shards.schema import INDEX, SAMPLE, from_rows


def test_members_hold_what_the_sample_holds():
    sample = make_sample(3)
    members = sample.members()
    assert set(members) == {"json", "mp4", "txt"}
    assert members["mp4"] == sample.content and members["txt"].decode() == "Straße 3"
    assert json.loads(members["json"]) == sample.meta and set(sample.meta) == set(SAMPLE.names)
    assert Sample.from_webdataset(sample.to_webdataset()) == sample


def test_latents_may_stand_in_place_of_the_video():
    sample = replace(make_sample(3), content=b"tensors", extension="safetensors")
    members = sample.members()
    assert set(members) == {"json", "safetensors", "txt"} and members["safetensors"] == b"tensors"
    assert Sample.from_webdataset(sample.to_webdataset()) == sample
    both = {"mp4": b"video", **sample.to_webdataset()}
    with pytest.raises(ValueError, match="mp4 and safetensors, where one excludes the other"):
        Sample.from_webdataset(both)
    assert not any("pickle" in name or name in ("pkl", "pth", "pt", "pyd") for name in MEMBERS)


def test_a_picture_may_stand_in_place_of_the_video():
    sample = replace(make_sample(3), content=b"picture", extension="webp")
    assert set(sample.members()) == {"json", "webp", "txt"}
    assert Sample.from_webdataset(sample.to_webdataset()) == sample
    with pytest.raises(ValueError, match="cannot hold 'pyd'"):
        replace(sample, extension="pyd")


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
    with pytest.raises(ValueError, match="no content member"):
        Sample.from_webdataset({k: v for k, v in whole.items() if k != "mp4"})
    with pytest.raises(ValueError, match="json member cannot be read"):
        Sample.from_webdataset(whole | {"json": b"{"})


def test_the_contract_tells_of_a_sample_all_that_a_trainer_asks():
    needed = {"captions", "fps", "duration_s", "num_frames", "width", "height", "scores", "motion_bucket"}
    provenance = {"path", "video_id", "start_pts", "end_pts", "made_by", "config_hash", "score_configs"}
    assert needed | provenance <= set(SAMPLE.names)
    assert all(field.metadata[b"doc"] for field in SAMPLE)


def test_a_row_of_the_index_is_the_sample_with_its_members():
    sample, member = make_sample(3), {"extension": "json", "offset_bytes": 512, "size_bytes": 9, "crc32": 2**32 - 1}
    (row,) = from_rows([index_row(sample.meta, [member])], INDEX).to_pylist()
    assert row["members"] == [member] and row["scores"] == [("luma_mean", 100.25), ("motion", 0.5)]
    back = {name: dict(value) if name in ("scores", "score_configs") else value for name, value in row.items()}
    del back["members"]
    assert back == sample.meta
    assert index_row(make_sample(3, scores=None).meta, [])["scores"] is None


def test_types_for_others_have_every_key_of_every_map():
    samples = [make_sample(0, scores={}), make_sample(1, scores={"b": 1.0}), make_sample(2, scores={"a": None})]
    tables = [from_rows([index_row(sample.meta, [])], INDEX) for sample in samples]
    schema = arrow_schema(pa.concat_tables(tables))
    json_type = schema.field("json").type
    assert [field.name for field in json_type] == SAMPLE.names
    assert json_type.field("scores").type == pa.struct({"a": pa.float32(), "b": pa.float32()})
    assert json_type.field("motion_bucket").type == pa.int32()
    assert schema.names[3:] == ["mp4", "txt"]
    assert arrow_schema(INDEX.empty_table()).field("json").type.field("scores").type == pa.struct([])


def test_types_for_others_are_those_of_a_set_of_latents():
    members = [{"extension": name, "offset_bytes": 0, "size_bytes": 0, "crc32": 0} for name in ("json", "safetensors")]
    index = from_rows([index_row(make_sample(0).meta, members)], INDEX)
    assert arrow_schema(index).field("safetensors").type == pa.binary() and "mp4" not in arrow_schema(index).names
