import json

import pytest

from curation.pictures.words import joined, of_json, of_row, of_text


def test_a_text_file_is_one_caption():
    assert of_text("\ufeff Straße \n".encode(), "sidecar") == ([{"text": "Straße", "source": "sidecar"}], {})
    assert of_text(b" \n", "sidecar") == ([], {})
    with pytest.raises(ValueError, match=r"not UTF-8"):
        of_text("Straße".encode("latin-1"), "sidecar")


def test_captions_and_numbers_of_a_json():
    """As img2dataset writes it, and with captions by a model."""
    told = {"caption": "a dog", "caption_blip": "dog on grass", "caption_": "no source", "url": "http://x"}
    told |= {"width": 512, "original_width": 900, "similarity": 0.25, "nsfw": True, "status": "success", "exif": {}}
    captions, scores = of_json(json.dumps(told).encode(), "json")
    assert captions == [{"text": "a dog", "source": "json"}, {"text": "dog on grass", "source": "blip"}]
    assert scores == {"original_width": 900.0, "similarity": 0.25}


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b"[" * 100_000, b"3"])
def test_a_json_that_is_none(data):
    with pytest.raises(ValueError, match=r"^its json cannot be read: "):
        of_json(data, "json")


def test_numbers_that_a_sample_cannot_hold_are_left_out():
    captions, scores = of_json(b'{"a": NaN, "b": Infinity, "c": 1e39, "d": 1' + b"0" * 400 + b', "e": -1}', "json")
    assert captions == [] and scores == {"e": -1.0}


def test_halves_of_characters_do_not_get_into_a_sample():
    captions, scores = of_json(rb'{"caption": "a\ud800b \ud83d\ude00", "\udc00": 1, "caption_\ud800": "x"}', "json")
    assert [caption["text"] for caption in captions] == ["a\ufffdb \U0001f600", "x"]
    assert json.dumps([captions, scores], ensure_ascii=False).encode()


def test_equal_captions_count_once_and_nothing_is_lost():
    first, second = (
        of_row({"caption": "a", "x": 1}, "txt"),
        of_row({"caption": "a", "text": "b", "x": 2, "y": 3}, "json"),
    )
    captions, scores = joined([first, second])
    assert captions == [{"text": "a", "source": "txt"}, {"text": "b", "source": "json"}]
    assert scores == {"x": 1.0, "y": 3.0}
